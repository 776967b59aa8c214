//! `runlog cancel`: ends runs, one by one.

use std::time::Duration;

use serde::Serialize;

use super::bulk::{self, Wish};
use super::{Desk, Done};
use crate::cli::client::Failure;
use crate::cli::documents::Run;
use crate::cli::exit::Exit;
use crate::cli::options::Output;
use crate::cli::{ids, once, show};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    // What requires --match says besides that it conflicts with ids: these conflict with --match, and clap forgives a missing
    // argument that would conflict with what is there.
    /// Which runs: ids, beginnings of them, @last, or - for ids on standard input
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
    /// Only says what it would do
    #[arg(long)]
    dry_run: bool,
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How long code may go on after it was told
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    grace: Option<Duration>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_ms: Option<u64>,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let grace_ms = arguments.grace.and_then(|grace| u64::try_from(grace.as_millis()).ok());
    let reason = arguments.reason.as_deref();
    let found = ids::all(&desk.client, &arguments.runs).await?;
    if arguments.matching.is_some() || arguments.dry_run {
        let wish = Wish {
            action: "cancel",
            q: arguments.matching.as_deref(),
            ids: &found,
            namespace: arguments.of_namespace.as_deref(),
            rate: arguments.rate,
            reason,
            dry_run: arguments.dry_run,
            grace_ms,
            ..Wish::default()
        };
        return bulk::carry_out(desk, wish, arguments.yes).await;
    }
    let body = Body { reason, grace_ms };
    let mut refused = None;
    for id in &found {
        match desk.client.post(&format!("runs/{id}/cancel"), &body, once()).await {
            Ok(answer) if desk.output == Output::Text => {
                show::headline(&mut desk.screen, &answer.read::<Run>()?)?;
            }
            Ok(answer) => {
                desk.passed_on(&answer, Some(id))?;
            }
            Err(failure @ Failure::Refused(_)) if found.len() > 1 => {
                desk.screen.remark(format!("runlog: {id}: {failure}"));
                refused = Some(Exit::Partly);
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(refused.unwrap_or(Exit::Fine))
}
