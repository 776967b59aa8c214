//! `runlog bulk`, and what `replay --match` and `cancel --match` do: one action on many runs.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use serde::Serialize;

use super::{Desk, Done};
use crate::cli::client::Failure;
use crate::cli::documents::{Bulk, BulkItem, BulkPreview, Page};
use crate::cli::exit::Exit;
use crate::cli::once;
use crate::cli::options::Output;
use crate::cli::show::{Cell, Style, Table, counted, plain};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The action's id
    id: String,
}

/// What is asked for.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Wish<'a> {
    pub(super) action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) q: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) ids: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rate: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'a str>,
    pub(super) dry_run: bool,
    pub(super) from_start: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) task: Option<&'a str>,
    pub(super) force: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grace_ms: Option<u64>,
}

/// How often the progress is asked for.
const LOOK: Duration = Duration::from_millis(200);

/// More runs than this take the number typed, not just a word.
const TYPED_OVER: u64 = 100;

/// Rows of one answer.
const PAGE: &str = "500";

/// Shows an action that was begun.
pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let answer = desk.client.get(&format!("bulk/{}", arguments.id), &[]).await?;
    if desk.passed_on(&answer, Some(&arguments.id))? {
        return Ok(Exit::Fine);
    }
    let bulk: Bulk = answer.read()?;
    told(desk, &bulk).await
}

/// Says what would be done, asks, does it, and shows how far it is.
pub(super) async fn carry_out(desk: &mut Desk, wish: Wish<'_>, yes: bool) -> Done {
    let dry = Wish { dry_run: true, ..wish.clone() };
    let answer = desk
        .client
        .post("bulk", &dry, once())
        .await
        .map_err(|failure| super::ls::pointed(failure, wish.q.unwrap_or_default()))?;
    let preview: BulkPreview = answer.read()?;
    if wish.dry_run {
        if !desk.passed_on(&answer, None)? {
            previewed(desk, wish.action, &preview)?;
        }
        return Ok(Exit::Fine);
    }
    if preview.count == 0 {
        desk.screen.remark(format!("no run fits {:?}", wish.q.unwrap_or_default()));
        return Ok(Exit::Fine);
    }
    if !yes && !agreed(desk, wish.action, &preview)? {
        return Ok(Exit::Fine);
    }
    let answer = desk.client.post("bulk", &wish, once()).await?;
    let mut bulk: Bulk = answer.read()?;
    while bulk.finished_at.is_none() {
        progress(desk, &bulk);
        tokio::time::sleep(LOOK).await;
        bulk = desk.client.read(&format!("bulk/{}", bulk.id), &[]).await?;
    }
    progress(desk, &bulk);
    if io::stderr().is_terminal() {
        eprintln!();
    }
    match desk.output {
        Output::Text => told(desk, &bulk).await,
        output => {
            for item in items(desk, &bulk.id).await? {
                match (output, &item.new_run) {
                    (Output::Ids, Some(new)) => desk.screen.line(new)?,
                    (Output::Ids, None) => desk.screen.line(&item.run)?,
                    _ => desk.screen.line(serde_json::to_string(&item).unwrap_or_default())?,
                }
            }
            Ok(ended(&bulk))
        }
    }
}

fn ended(bulk: &Bulk) -> Exit {
    if bulk.refused > 0 { Exit::Partly } else { Exit::Fine }
}

fn previewed(desk: &mut Desk, action: &str, preview: &BulkPreview) -> Result<(), Failure> {
    desk.screen.line(format!("would {action} {}", counted(preview.count, "run")))?;
    for intent in &preview.sample {
        let what = match (&intent.detail, &intent.plan, &intent.run_status) {
            (Some(detail), ..) => desk.screen.paint(Style::Bad, plain(detail)),
            (None, Some(plan), _) => format!("reuses {} tasks, runs {}", plan.reused.len(), plan.rerun.len()),
            (None, None, status) => plain(status.as_deref().unwrap_or_default()).to_lowercase(),
        };
        desk.screen.line(format!("  {}  {what}", plain(&intent.run)))?;
    }
    Ok(())
}

/// Asks a person; refuses where there is none to ask.
fn agreed(desk: &mut Desk, action: &str, preview: &BulkPreview) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage(format!(
            "this would {action} {}: say --yes",
            counted(preview.count, "run")
        )));
    }
    previewed(desk, action, preview)?;
    let word = if preview.count > TYPED_OVER { preview.count.to_string() } else { "yes".to_owned() };
    eprint!("type {word} to do it: ");
    io::stderr().flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim() == word)
}

/// Rewrites one line, on a terminal.
fn progress(desk: &Desk, bulk: &Bulk) {
    if io::stderr().is_terminal() && desk.output == Output::Text {
        eprint!("\r{} of {}, {} refused ", bulk.done, bulk.total, bulk.refused);
    }
}

async fn told(desk: &mut Desk, bulk: &Bulk) -> Done {
    let state = if bulk.finished_at.is_some() { "finished" } else { "under way" };
    let (id, action) = (plain(&bulk.id), plain(&bulk.action));
    desk.screen.line(format!(
        "bulk {id}  {action}  {state}: {} of {}, {} refused",
        bulk.done, bulk.total, bulk.refused
    ))?;
    if bulk.refused > 0 {
        let mut table = Table::new(vec!["REFUSED", "CODE", "WHY"], 2);
        let refused = |item: &&BulkItem| item.outcome.as_deref().is_some_and(|outcome| outcome != "ok");
        for item in items(desk, &bulk.id).await?.iter().filter(refused) {
            table.row(vec![
                plain(&item.run).into(),
                Cell::styled(plain(item.outcome.as_deref().unwrap_or_default()), Some(Style::Bad)),
                plain(item.detail.as_deref().unwrap_or_default()).into(),
            ]);
        }
        table.print(&mut desk.screen)?;
    }
    Ok(ended(bulk))
}

async fn items(desk: &Desk, id: &str) -> Result<Vec<BulkItem>, Failure> {
    let (mut all, mut after) = (Vec::new(), "0".to_owned());
    loop {
        let query = [("limit", PAGE), ("after", after.as_str())];
        let page: Page<BulkItem> = desk.client.read(&format!("bulk/{id}/items"), &query).await?;
        all.extend(page.data);
        match page.next {
            Some(next) => after = next,
            None => return Ok(all),
        }
    }
}
