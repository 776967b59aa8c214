//! `runlog failures`: runs that failed, by their cause.

use super::ls::pointed;
use super::{Desk, Done};
use crate::cli::documents::Failures;
use crate::cli::exit::Exit;
use crate::cli::options::Output;
use crate::cli::show::{Table, plain};
use crate::model::failure::in_one_line;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which runs, by the filter of `runlog ls`
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,
    /// Created this long ago or less
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    since: String,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let query = format!("{} since:{}", arguments.filter.join(" "), arguments.since);
    let answer = desk.client.get("failures", &[("q", query.trim())]).await;
    let answer = answer.map_err(|failure| pointed(failure, query.trim()))?;
    let failures: Failures = answer.read()?;
    if desk.output == Output::Ids {
        failures.data.iter().try_for_each(|group| desk.screen.line(&group.fingerprint))?;
        return Ok(Exit::Fine);
    }
    if desk.passed_on(&answer, None)? {
        return Ok(Exit::Fine);
    }
    let Some(first) = failures.data.first() else {
        desk.screen.remark(format!("nothing failed in the last {}", arguments.since));
        return Ok(Exit::Fine);
    };
    let mut table = Table::new(vec!["RUNS", "WORKFLOW ▸ TASK", "ERROR", "FIRST", "LAST", "GROUP"], 2);
    for group in &failures.data {
        let task = group.task.as_deref().map(|task| format!(" ▸ {task}")).unwrap_or_default();
        table.row(vec![
            group.count.to_string().into(),
            plain(&format!("{}{task}", group.workflow)).into(),
            plain(&in_one_line(&group.kind, &group.message)).into(),
            desk.screen.time(group.first).into(),
            desk.screen.time(group.last).into(),
            plain(&group.fingerprint).into(),
        ]);
    }
    table.print(&mut desk.screen)?;
    if failures.capped {
        desk.screen.remark("there are more: only the newest failures were looked at");
    }
    desk.screen
        .remark(format!("next: runlog why {}    or    runlog ls fp:{}", first.newest, first.fingerprint));
    Ok(Exit::Fine)
}
