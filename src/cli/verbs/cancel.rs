//! `runlog cancel`: ends runs, one by one.

use std::time::Duration;

use serde::Serialize;

use super::{Desk, Done};
use crate::cli::client::Failure;
use crate::cli::documents::Run;
use crate::cli::exit::Exit;
use crate::cli::options::Output;
use crate::cli::{ids, once, show};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which runs: ids, beginnings of them, @last, or - for ids on standard input
    #[arg(required = true)]
    runs: Vec<String>,
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
    let found = ids::all(&desk.client, &arguments.runs).await?;
    let grace_ms = arguments.grace.and_then(|grace| u64::try_from(grace.as_millis()).ok());
    let body = Body { reason: arguments.reason.as_deref(), grace_ms };
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
