//! `runlog audit`: who did what.

use super::{Desk, Done};
use crate::cli::documents::{Deed, Page};
use crate::cli::exit::Exit;
use crate::cli::ids;
use crate::cli::show::{Cell, Style, Table, plain};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Only what was done to this run
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// At most so many, the newest
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let limit = arguments.limit.to_string();
    let run = match &arguments.run {
        Some(name) => Some(ids::one(&desk.client, name).await?),
        None => None,
    };
    let mut query = vec![("limit", limit.as_str())];
    query.extend(run.as_deref().map(|run| ("run", run)));
    let answer = desk.client.get("audit", &query).await?;
    if desk.passed_on(&answer, None)? {
        return Ok(Exit::Fine);
    }
    let page: Page<Deed> = answer.read()?;
    let mut table = Table::new(vec!["WHEN", "WHO", "ACTION", "OUTCOME", "RUN", "WHY"], 5);
    for deed in &page.data {
        let refused = (deed.outcome != "ok").then_some(Style::Bad);
        table.row(vec![
            desk.screen.time(deed.at).into(),
            plain(&deed.who).into(),
            plain(&deed.action).into(),
            Cell::styled(plain(&deed.outcome), refused),
            plain(deed.run.as_deref().unwrap_or_default()).into(),
            plain(deed.reason.as_deref().unwrap_or_default()).into(),
        ]);
    }
    table.print(&mut desk.screen)?;
    Ok(Exit::Fine)
}
