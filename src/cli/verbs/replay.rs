//! `runlog replay`: starts runs anew that ended, taking over what succeeded.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use super::bulk::{self, Wish};
use super::{Desk, Done, watch};
use crate::cli::client::Failure;
use crate::cli::documents::{ReplayPlan, Replayed};
use crate::cli::exit::Exit;
use crate::cli::options::Output;
use crate::cli::show::plain;
use crate::cli::{edit, given, ids, once, show};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    // As with cancel, what requires an argument conflicts with whatever that one conflicts with.
    /// Which runs: ids, beginnings of them, @last-failed, or - for ids on standard input
    #[arg(required_unless_present = "matching")]
    runs: Vec<String>,
    /// All runs that fit a filter, such as 'status:failed since:1h', instead of naming them
    #[arg(long = "match", value_name = "FILTER", conflicts_with = "runs")]
    matching: Option<String>,
    /// With --match: runs a second at most; 20 unless told
    #[arg(long, value_name = "COUNT", requires = "matching", conflicts_with = "runs", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// With --match: the runs of this namespace; the caller's own, or default, unless told
    #[arg(long = "of-namespace", value_name = "NAME", requires = "matching", conflicts_with = "runs")]
    of_namespace: Option<String>,
    /// Asks nothing, as when runs are named
    #[arg(long, short)]
    yes: bool,
    /// From where it runs anew: failed, start, or a task's name
    #[arg(long, value_name = "WHERE", default_value = "failed")]
    from: String,
    /// Another input: JSON, @FILE, or - for standard input; then nothing is taken over
    #[arg(long, value_name = "JSON", conflicts_with = "matching")]
    input: Option<String>,
    /// Opens the input in $EDITOR first
    #[arg(long, conflicts_with_all = ["input", "matching"])]
    edit: bool,
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The version of the code; the newest that is served unless told
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Replays even a run that was cancelled
    #[arg(long)]
    force: bool,
    /// Only says what it would do
    #[arg(long)]
    dry_run: bool,
    /// Waits for the new run's end; the exit code says how it ended
    #[arg(long, conflicts_with_all = ["dry_run", "matching"])]
    wait: bool,
    /// Waits at most so long
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, requires = "wait", conflicts_with_all = ["dry_run", "matching"])]
    wait_timeout: Option<Duration>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Box<RawValue>>,
    force: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    dry_run: bool,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    if let Some(filter) = &arguments.matching {
        let from = arguments.from.as_str();
        let wish = Wish {
            action: "replay",
            q: Some(filter),
            namespace: arguments.of_namespace.as_deref(),
            rate: arguments.rate,
            reason: arguments.reason.as_deref(),
            dry_run: arguments.dry_run,
            from_start: from == "start",
            task: (!["failed", "start"].contains(&from)).then_some(from),
            force: arguments.force,
            version: arguments.version.as_deref(),
            ..Wish::default()
        };
        return bulk::carry_out(desk, wish, arguments.yes).await;
    }
    let found = ids::all(&desk.client, &arguments.runs).await?;
    let (mut exit, mut last) = (Exit::Fine, None);
    for id in &found {
        match one(desk, id, &arguments).await {
            Ok(new) => last = new,
            Err(failure @ Failure::Refused(_)) if found.len() > 1 => {
                desk.screen.remark(format!("runlog: {id}: {failure}"));
                exit = Exit::Partly;
            }
            Err(failure) => return Err(failure),
        }
    }
    match last {
        Some(new) if arguments.wait && found.len() == 1 => {
            watch::until_end(desk, &new, arguments.wait_timeout).await
        }
        _ => Ok(exit),
    }
}

/// Replays one run; returns the new one's id.
async fn one(desk: &mut Desk, id: &str, arguments: &Arguments) -> Result<Option<String>, Failure> {
    let input = match &arguments.input {
        Some(input) => Some(given::json("--input", input)?),
        None if arguments.edit => {
            let before = desk.client.get(&format!("runs/{id}/input"), &[]).await?;
            Some(edit::json(&before.body)?)
        }
        None => None,
    };
    let named = ["failed", "start"].contains(&arguments.from.as_str());
    let body = Body {
        from: named.then_some(&arguments.from),
        task: (!named).then_some(&arguments.from),
        input,
        force: arguments.force,
        reason: arguments.reason.as_deref(),
        version: arguments.version.as_deref(),
        dry_run: arguments.dry_run,
    };
    let answer = desk.client.post(&format!("runs/{id}/replay"), &body, once()).await?;
    let Replayed { run, plan } = answer.read()?;
    let new = run.as_ref().map(|run| run.id.clone());
    if arguments.wait {
        desk.screen.remark(format!("replays {id} as {}", new.as_deref().unwrap_or_default()));
    } else if desk.output != Output::Text {
        desk.passed_on(&answer, new.as_deref())?;
    } else {
        if let Some(run) = &run {
            show::headline(&mut desk.screen, run)?;
        }
        what(desk, &plan)?;
    }
    Ok(new)
}

/// Says what is taken over and what is not.
fn what(desk: &mut Desk, plan: &ReplayPlan) -> std::io::Result<()> {
    let names = |names: &[String]| names.iter().map(|name| plain(name)).collect::<Vec<_>>().join(", ");
    desk.screen.line(format!("  {:<10} {} version {}", "replays", plain(&plan.of), plain(&plan.version)))?;
    if !plan.reused.is_empty() {
        desk.screen.line(format!("  {:<10} {}", "reuses", names(&plan.reused)))?;
    }
    if !plan.skipped.is_empty() {
        desk.screen.line(format!("  {:<10} {}", "skips", names(&plan.skipped)))?;
    }
    for resumed in &plan.resumed {
        // Without a recorded operation it begins anew, as what `runs` says.
        if !resumed.ops.is_empty() {
            let (task, ops) = (plain(&resumed.task), names(&resumed.ops));
            desk.screen.line(format!("  {:<10} {task} after what it recorded: {ops}", "goes on"))?;
        }
    }
    if !plan.rerun.is_empty() {
        desk.screen.line(format!("  {:<10} {}", "runs", names(&plan.rerun)))?;
    }
    for left in &plan.not_reused {
        desk.screen.line(format!("  {:<10} {}: {}", "not reused", plain(&left.task), plain(&left.reason)))?;
    }
    Ok(())
}
