//! `runlog retention`: how long runs are kept.

use std::io::{self, IsTerminal};
use std::time::Duration;

use axum::http::Method;
use serde::Serialize;
use serde_json::json;

use super::{Desk, Done};
use crate::cli::client::Failure;
use crate::cli::documents::Retention;
use crate::cli::exit::Exit;
use crate::cli::once;
use crate::cli::options::Output;
use crate::cli::show::{Style, Table, plain, span};

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("change").args(["archive_after", "unset"]))]
pub(in crate::cli) struct Arguments {
    // As with cancel, what requires an argument conflicts with whatever that one conflicts with.
    /// Sets when runs go to the archive, counted from their end, such as 30d; or never
    #[arg(long, value_name = "DURATION", value_parser = after)]
    archive_after: Option<After>,
    /// Sets when runs go for good, counted from their end, such as 400d; or never
    #[arg(long, value_name = "DURATION", value_parser = after, requires = "archive_after", conflicts_with_all = ["unset", "prune_now"])]
    delete_after: Option<After>,
    /// Removes what was set for a workflow or a namespace: what is set for more of them counts again
    #[arg(long)]
    unset: bool,
    /// Sets or removes it for this workflow's runs only
    #[arg(long, value_name = "NAME", requires = "change", conflicts_with = "prune_now")]
    workflow: Option<String>,
    /// Sets or removes it for this namespace's runs only
    #[arg(long = "of-namespace", value_name = "NAME", requires = "change", conflicts_with = "prune_now")]
    of_namespace: Option<String>,
    /// Makes a pass now, whether one is due or not, and waits for its end
    #[arg(long, conflicts_with = "change")]
    prune_now: bool,
}

/// How often the end of a pass is looked for.
const LOOK: Duration = Duration::from_millis(500);

/// How long after its end; `None` = never.
#[derive(Clone, Copy, Debug)]
struct After(Option<Duration>);

fn after(text: &str) -> Result<After, String> {
    if text == "never" {
        return Ok(After(None));
    }
    humantime::parse_duration(text)
        .map(|after| After(Some(after)))
        .map_err(|error| format!("{error}; or never"))
}

#[derive(Serialize)]
struct Body {
    namespace: Option<String>,
    workflow: Option<String>,
    archive_after_ms: Option<u64>,
    delete_after_ms: Option<u64>,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    if arguments.prune_now {
        return prune(desk).await;
    }
    let millis = |after: After| after.0.and_then(|after| u64::try_from(after.as_millis()).ok());
    let answer = match arguments.archive_after {
        None if arguments.unset => {
            let of = [("of_namespace", &arguments.of_namespace), ("workflow", &arguments.workflow)];
            let of: Vec<_> = of.iter().filter_map(|(name, of)| Some((*name, of.as_deref()?))).collect();
            desk.client.delete("retention", &of).await?
        }
        None => desk.client.get("retention", &[]).await?,
        Some(archive_after) => {
            let body = Body {
                namespace: arguments.of_namespace,
                workflow: arguments.workflow,
                archive_after_ms: millis(archive_after),
                delete_after_ms: arguments.delete_after.and_then(millis),
            };
            desk.client.send(Method::PUT, "retention", &body, None).await?
        }
    };
    if !desk.passed_on(&answer, None)? {
        print(desk, &answer.read()?)?;
    }
    Ok(Exit::Fine)
}

/// Begins a pass and waits for its end, whoever makes it.
async fn prune(desk: &mut Desk) -> Done {
    let begun: Retention = desk.client.post("retention/pass", &json!({}), once()).await?.read()?;
    loop {
        let answer = desk.client.get("retention", &[]).await?;
        let found: Retention = answer.read()?;
        progress(desk, &found);
        if found.under_way_by.is_some() && found.begun_at == begun.begun_at {
            tokio::time::sleep(LOOK).await;
            continue;
        }
        if io::stderr().is_terminal() {
            eprintln!();
        }
        if !desk.passed_on(&answer, None)? {
            print(desk, &found)?;
        }
        if found.ended_at < begun.begun_at {
            let why = "whoever made the pass is gone: the next one goes on where it stopped";
            return Err(Failure::Other(why.to_owned()));
        }
        return Ok(if found.error.is_some() { Exit::Error } else { Exit::Fine });
    }
}

/// Rewrites one line, on a terminal.
fn progress(desk: &Desk, found: &Retention) {
    if io::stderr().is_terminal() && desk.output == Output::Text {
        eprint!("\r{} archived, {} deleted ", found.archived, found.deleted);
    }
}

fn print(desk: &mut Desk, found: &Retention) -> Result<(), Failure> {
    let never = |after: Option<u64>| after.map_or("never".to_owned(), span);
    let all = |name: &Option<String>| plain(name.as_deref().unwrap_or("all"));
    let mut table = Table::new(vec!["NAMESPACE", "WORKFLOW", "ARCHIVED AFTER", "DELETED AFTER"], 1);
    for policy in &found.policies {
        table.row(vec![
            all(&policy.namespace).into(),
            all(&policy.workflow).into(),
            never(policy.archive_after_ms).into(),
            never(policy.delete_after_ms).into(),
        ]);
    }
    let screen = &mut desk.screen;
    table.print(screen)?;
    screen.line("")?;
    if let Some(by) = &found.under_way_by {
        screen.line(format!("  {:<10} by {}", "under way", plain(by)))?;
    }
    let last = found.ended_at.map_or("none yet".to_owned(), |at| screen.time(at));
    screen.line(format!(
        "  {:<10} {last}: {} archived, {} deleted",
        "last pass", found.archived, found.deleted
    ))?;
    screen.line(format!("  {:<10} {}", "next pass", screen.time(found.next_at)))?;
    screen
        .line(format!("  {:<10} {} archived, {} deleted", "ever", found.archived_ever, found.deleted_ever))?;
    if let Some(error) = &found.error {
        screen.line(format!("  {:<10} {}", "error", screen.paint(Style::Bad, plain(error))))?;
    }
    Ok(())
}
