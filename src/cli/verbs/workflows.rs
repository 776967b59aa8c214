//! `runlog workflows`: what is or was served.

use super::{Desk, Done};
use crate::cli::documents::{Page, Workflow};
use crate::cli::exit::Exit;
use crate::cli::show::{Cell, Style, Table, plain, span};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Only this workflow's versions
    name: Option<String>,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let mut query = vec![("limit", "500")];
    query.extend(arguments.name.as_deref().map(|name| ("name", name)));
    let answer = desk.client.get("workflows", &query).await?;
    if desk.passed_on(&answer, None)? {
        return Ok(Exit::Fine);
    }
    let page: Page<Workflow> = answer.read()?;
    let mut table = Table::new(vec!["WORKFLOW", "VERSION", "NODES", "REGISTERED", "TIMEOUT", "TASKS"], 5);
    for workflow in &page.data {
        let tasks = workflow.tasks.iter().map(|task| plain(&task.name)).collect::<Vec<_>>().join(", ");
        table.row(vec![
            plain(&workflow.name).into(),
            plain(&workflow.version).into(),
            Cell::styled(workflow.nodes.to_string(), (workflow.nodes == 0).then_some(Style::Faint)),
            desk.screen.time(workflow.registered_at).into(),
            workflow.timeout_ms.map(span).unwrap_or_default().into(),
            tasks.into(),
        ]);
    }
    table.print(&mut desk.screen)?;
    Ok(Exit::Fine)
}
