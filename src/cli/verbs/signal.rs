//! `runlog signal`: sends a signal to a run, to all that wait for a key, or to all that a filter finds.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Desk, Done};
use crate::cli::client::{Failure, segment};
use crate::cli::documents::{Run, Signalled};
use crate::cli::exit::Exit;
use crate::cli::show::plain;
use crate::cli::{given, ids, once, show};

#[derive(clap::Args)]
#[command(override_usage = "runlog signal [OPTIONS] RUN NAME\n       runlog signal [OPTIONS] NAME --key KEY\n       runlog signal [OPTIONS] NAME --match FILTER")]
pub(in crate::cli) struct Arguments {
    /// Which run (its id, the beginning of it, or @last; not with --key or --match), and the signal's name
    #[arg(required = true, num_args = 1..=2, value_names = ["RUN", "NAME"])]
    words: Vec<String>,
    /// Sends it to every run that waits for this key; if none does, it is kept for the first one
    #[arg(long, conflicts_with = "matching")]
    key: Option<String>,
    /// The sender's own id for a signal to a key: one id is accepted once
    #[arg(long, requires = "key")]
    id: Option<String>,
    /// Sends it to every live run that this filter finds
    #[arg(long = "match", value_name = "FILTER")]
    matching: Option<String>,
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
struct Told {
    runs: u64,
    kept: bool,
}

#[derive(Serialize)]
struct AllBody<'a> {
    q: &'a str,
    payload: Box<RawValue>,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let Arguments { words, key, id, matching, data } = arguments;
    let payload = given::json("--data", &data)?;
    match (words.as_slice(), key, matching) {
        ([run, name], None, None) => {
            let id = ids::one(&desk.client, run).await?;
            let path = format!("runs/{id}/signals/{}", segment(name));
            let body = Body { payload, key: None, id: None };
            let answer = desk.client.post(&path, &body, once()).await?;
            if !desk.passed_on(&answer, Some(&id))? {
                show::headline(&mut desk.screen, &answer.read::<Run>()?)?;
            }
        }
        ([name], Some(key), _) => to_key(desk, name, key, id, payload).await?,
        ([name], None, Some(q)) => to_all(desk, name, &q, payload).await?,
        (_, None, None) => return Err(Failure::Usage("expected a run and the signal's name".to_owned())),
        _ => {
            let problem = "with --key or --match the signal's name stands alone".to_owned();
            return Err(Failure::Usage(problem));
        }
    }
    Ok(Exit::Fine)
}

async fn to_key(
    desk: &mut Desk,
    name: &str,
    key: String,
    id: Option<String>,
    payload: Box<RawValue>,
) -> Result<(), Failure> {
    let of = plain(&key);
    let body = Body { payload, key: Some(key.clone()), id };
    let answer = desk.client.post(&format!("signals/{}", segment(name)), &body, once()).await?;
    if !desk.passed_on(&answer, None)? {
        let name = plain(name);
        desk.screen.line(match answer.read::<Told>()? {
            Told { kept: true, .. } => {
                format!("no run waits for signal `{name}` of key `{of}`: it is kept for the first one")
            }
            Told { runs: 1, .. } => format!("1 run got signal `{name}` of key `{of}`"),
            Told { runs, .. } => format!("{runs} runs got signal `{name}` of key `{of}`"),
        })?;
    }
    Ok(())
}

async fn to_all(desk: &mut Desk, name: &str, q: &str, payload: Box<RawValue>) -> Result<(), Failure> {
    let path = format!("bulk/signals/{}", segment(name));
    let answer = desk.client.post(&path, &AllBody { q, payload }, once()).await;
    let answer = answer.map_err(|failure| super::ls::pointed(failure, q))?;
    if !desk.passed_on(&answer, None)? {
        let Signalled { sent, ended } = answer.read()?;
        let gone = if ended > 0 { format!(", {ended} ended before") } else { String::new() };
        desk.screen.line(format!("sent to {sent} run{}{gone}", if sent == 1 { "" } else { "s" }))?;
    }
    Ok(())
}
