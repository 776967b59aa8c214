//! `runlog signal`: sends a signal to a run, or to every run that waits for a key.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Desk, Done};
use crate::cli::client::segment;
use crate::cli::documents::Run;
use crate::cli::exit::Exit;
use crate::cli::show::plain;
use crate::cli::{given, ids, once, show};

#[derive(clap::Args)]
#[command(override_usage = "runlog signal [OPTIONS] RUN NAME\n       runlog signal [OPTIONS] --key KEY NAME")]
pub(in crate::cli) struct Arguments {
    /// Which run: its id, the beginning of it, or @last. With --key, the signal's name
    #[arg(value_name = "RUN")]
    first: String,
    /// The signal's name
    #[arg(required_unless_present = "key", conflicts_with = "key")]
    name: Option<String>,
    /// Sends it to every run that waits for this key; if none does, it is kept for the first one
    #[arg(long)]
    key: Option<String>,
    /// The sender's own id for a signal to a key: one id is accepted once
    #[arg(long, requires = "key")]
    id: Option<String>,
    /// What it carries: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON", default_value = "null")]
    data: String,
}

#[derive(Serialize)]
struct Body {
    payload: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

#[derive(Deserialize)]
struct Signalled {
    runs: u64,
    kept: bool,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let Arguments { first, name, key, id, data } = arguments;
    let payload = given::json("--data", &data)?;
    if let Some(name) = name {
        let run = ids::one(&desk.client, &first).await?;
        let path = format!("runs/{run}/signals/{}", segment(&name));
        let answer = desk.client.post(&path, &Body { payload, key: None, id: None }, once()).await?;
        if !desk.passed_on(&answer, Some(&run))? {
            show::headline(&mut desk.screen, &answer.read::<Run>()?)?;
        }
        return Ok(Exit::Fine);
    }
    let path = format!("signals/{}", segment(&first));
    let of = key.clone().unwrap_or_default();
    let answer = desk.client.post(&path, &Body { payload, key, id }, once()).await?;
    if !desk.passed_on(&answer, None)? {
        let sent: Signalled = answer.read()?;
        let (name, of) = (plain(&first), plain(&of));
        desk.screen.line(match sent {
            Signalled { kept: true, .. } => {
                format!("no run waits for signal `{name}` of key `{of}`: it is kept for the first one")
            }
            Signalled { runs: 1, .. } => format!("1 run got signal `{name}` of key `{of}`"),
            Signalled { runs, .. } => format!("{runs} runs got signal `{name}` of key `{of}`"),
        })?;
    }
    Ok(Exit::Fine)
}
