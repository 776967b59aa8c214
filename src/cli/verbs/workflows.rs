//! `runlog workflows`: what is or was served, and what of it may start.

use serde::Serialize;

use super::{Desk, Done};
use crate::cli::client::Failure;
use crate::cli::documents::{Page, Paused, Workflow};
use crate::cli::exit::Exit;
use crate::cli::once;
use crate::cli::show::{Cell, Style, Table, plain, span};

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Arguments {
    /// Only this workflow's versions
    name: Option<String>,
    #[command(subcommand)]
    deed: Option<Deed>,
}

#[derive(clap::Subcommand)]
enum Deed {
    /// Lets no run of a workflow start; those that have started go on
    Pause {
        /// Which workflow
        workflow: String,
        /// In which namespace; default unless told
        #[arg(long = "of-namespace", value_name = "NAME")]
        namespace: Option<String>,
        /// Why; it is shown by `why` and recorded
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Lets the runs of a paused workflow start again
    Resume {
        /// Which workflow
        workflow: String,
        /// In which namespace; default unless told
        #[arg(long = "of-namespace", value_name = "NAME")]
        namespace: Option<String>,
    },
}

#[derive(Serialize)]
struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    match arguments.deed {
        None => list(desk, arguments.name.as_deref()).await,
        Some(Deed::Pause { workflow, namespace, reason }) => {
            let path = format!("workflows/{workflow}/pause");
            change(desk, &path, Body { namespace, reason }).await
        }
        Some(Deed::Resume { workflow, namespace }) => {
            let path = format!("workflows/{workflow}/resume");
            change(desk, &path, Body { namespace, reason: None }).await
        }
    }
}

async fn change(desk: &mut Desk, path: &str, body: Body) -> Done {
    let answer = desk.client.post(path, &body, once()).await?;
    if desk.passed_on(&answer, None)? {
        return Ok(Exit::Fine);
    }
    let Paused { workflow, namespace, paused, changed } = answer.read()?;
    let so = if paused { "paused" } else { "not paused" };
    let before = if changed { "" } else { ", as before" };
    desk.screen.line(format!("{} is {so} in namespace {}{before}", plain(&workflow), plain(&namespace)))?;
    Ok(Exit::Fine)
}

async fn list(desk: &mut Desk, name: Option<&str>) -> Done {
    let mut query = vec![("limit", "500")];
    query.extend(name.map(|name| ("name", name)));
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
    pauses(desk, &page.data)
}

/// Says which of them are paused, once each: a pause is of all versions.
fn pauses(desk: &mut Desk, workflows: &[Workflow]) -> Result<Exit, Failure> {
    let mut said: Option<&str> = None;
    for workflow in workflows {
        if said.replace(&workflow.name) == Some(&workflow.name) {
            continue;
        }
        for pause in &workflow.paused {
            let by = pause.by.as_deref().map(|by| format!(" by {}", plain(by))).unwrap_or_default();
            let why = pause.reason.as_deref().map(|why| format!(": {}", plain(why))).unwrap_or_default();
            let (name, namespace) = (plain(&workflow.name), plain(&pause.namespace));
            let since = desk.screen.time(pause.since);
            let line = format!("{name} is paused in namespace {namespace} since {since}{by}{why}");
            let line = desk.screen.paint(Style::Bad, line);
            desk.screen.line(line)?;
        }
    }
    Ok(Exit::Fine)
}
