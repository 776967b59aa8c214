//! `runlog limits`: how many runs of a key may run at once, and how the keys stand.

use std::time::Duration;

use super::{Desk, Done};
use crate::cli::client::{Failure, segment};
use crate::cli::documents::{Limit, LimitKey, Page};
use crate::cli::exit::Exit;
use crate::cli::show::{Cell, Style, Table, plain};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The keys of this workflow's limit; without it, the limits
    workflow: Option<String>,
    /// Only keys of this namespace
    #[arg(long = "of-namespace", value_name = "NAME", requires = "workflow")]
    namespace: Option<String>,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let mut query = vec![("limit", "500")];
    let Some(workflow) = &arguments.workflow else {
        let answer = desk.client.get("limits", &query).await?;
        if !desk.passed_on(&answer, None)? {
            limits(desk, &answer.read::<Page<Limit>>()?.data)?;
        }
        return Ok(Exit::Fine);
    };
    query.extend(arguments.namespace.as_deref().map(|namespace| ("namespace", namespace)));
    let answer = desk.client.get(&format!("limits/{}/keys", segment(workflow)), &query).await?;
    if !desk.passed_on(&answer, None)? {
        let found = answer.read::<Page<LimitKey>>()?.data;
        if found.is_empty() {
            let workflow = plain(workflow);
            desk.screen.remark(format!(
                "no run of {workflow} runs or waits under a limit: `runlog limits` lists them all"
            ));
        }
        keys(desk, &found)?;
    }
    Ok(Exit::Fine)
}

fn limits(desk: &mut Desk, limits: &[Limit]) -> Result<(), Failure> {
    let mut table =
        Table::new(vec!["WORKFLOW", "LIMIT", "SLOTS", "STARTS", "QUIET", "POLICY", "COUNTS BY", "SINCE"], 1);
    for limit in limits {
        let at = limit.at.as_deref().map(|at| format!(" {}", plain(at))).unwrap_or_default();
        table.row(vec![
            plain(&limit.workflow).into(),
            plain(&limit.name).into(),
            limit.slots.to_string().into(),
            rate(limit).into(),
            quiet(limit).into(),
            plain(&limit.policy).into(),
            format!("{}{at}", plain(&limit.by)).into(),
            desk.screen.time(limit.since).into(),
        ]);
    }
    Ok(table.print(&mut desk.screen)?)
}

fn rate(limit: &Limit) -> String {
    match (limit.starts, limit.window_ms) {
        (Some(starts), Some(window_ms)) => {
            format!("{starts} in {} s", seconds(window_ms))
        }
        _ => String::new(),
    }
}

fn quiet(limit: &Limit) -> String {
    let quiet = limit.quiet_ms.map(|ms| format!("for {} s", seconds(ms))).unwrap_or_default();
    let at_most = limit.max_wait_ms.map(|ms| format!(", {} s at most", seconds(ms))).unwrap_or_default();
    format!("{quiet}{at_most}")
}

fn seconds(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64()
}

fn keys(desk: &mut Desk, keys: &[LimitKey]) -> Result<(), Failure> {
    let mut table = Table::new(vec!["NAMESPACE", "KEY", "RUNNING", "WAITING"], 1);
    for key in keys {
        table.row(vec![
            plain(&key.namespace).into(),
            plain(&key.key).into(),
            key.running.to_string().into(),
            Cell::styled(key.waiting.to_string(), (key.waiting == 0).then_some(Style::Faint)),
        ]);
    }
    Ok(table.print(&mut desk.screen)?)
}
