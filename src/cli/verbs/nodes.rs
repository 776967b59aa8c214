//! `runlog nodes`: the processes that execute runs.

use super::{Desk, Done};
use crate::cli::documents::{Node, Page};
use crate::cli::exit::Exit;
use crate::cli::show::{Cell, Style, Table, plain};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Those that ended, too
    #[arg(long)]
    all: bool,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let answer = desk.client.get("nodes", &[("limit", "500")]).await?;
    if desk.passed_on(&answer, None)? {
        return Ok(Exit::Fine);
    }
    let page: Page<Node> = answer.read()?;
    let mut table =
        Table::new(vec!["NODE", "NAME", "PID", "RELEASE", "STATE", "JOINED", "RUNS", "SERVES"], 7);
    for node in page.data.iter().filter(|node| node.alive || arguments.all) {
        let (state, style) = match (node.alive, node.left_at) {
            (true, _) => ("✓ alive".to_owned(), Style::Good),
            (false, Some(_)) => ("– left".to_owned(), Style::Faint),
            (false, None) => ("✕ dead".to_owned(), Style::Bad),
        };
        let slots = node.slots.map(|slots| format!(" of {slots}")).unwrap_or_default();
        let served = node.served.iter().map(|served| format!("{} {}", served.workflow, served.version));
        table.row(vec![
            node.id.to_string().into(),
            plain(&node.name).into(),
            node.pid.to_string().into(),
            plain(&node.release).into(),
            Cell::styled(state, Some(style)),
            desk.screen.time(node.joined_at).into(),
            format!("{}{slots}", node.runs).into(),
            plain(&served.collect::<Vec<_>>().join(", ")).into(),
        ]);
    }
    table.print(&mut desk.screen)?;
    Ok(Exit::Fine)
}
