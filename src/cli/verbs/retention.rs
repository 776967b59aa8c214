//! `runlog retention`: how long runs are kept.

use std::time::Duration;

use axum::http::Method;
use serde::Serialize;

use super::{Desk, Done};
use crate::cli::client::Failure;
use crate::cli::documents::Retention;
use crate::cli::exit::Exit;
use crate::cli::show::{Style, Table, plain, span};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Sets when runs go to the archive, counted from their end, such as 30d; or never
    #[arg(long, value_name = "DURATION", value_parser = after)]
    archive_after: Option<After>,
    /// Sets when runs go for good, counted from their end, such as 400d; or never
    #[arg(long, value_name = "DURATION", value_parser = after, requires = "archive_after")]
    delete_after: Option<After>,
    /// Sets it for this workflow's runs only
    #[arg(long, value_name = "NAME", requires = "archive_after")]
    workflow: Option<String>,
    /// Sets it for this namespace's runs only
    #[arg(long = "of-namespace", value_name = "NAME", requires = "archive_after")]
    of_namespace: Option<String>,
}

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
    let millis = |after: After| after.0.and_then(|after| u64::try_from(after.as_millis()).ok());
    let answer = match arguments.archive_after {
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
