//! `runlog signal`: sends a signal to a run, to all that a filter finds, or to all that wait for a key.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Desk, Done};
use crate::cli::client::{Failure, segment};
use crate::cli::documents::{Run, Signalled};
use crate::cli::exit::Exit;
use crate::cli::show::{counted, plain};
use crate::cli::{given, ids, once, show};

#[derive(clap::Args)]
#[command(override_usage = "runlog signal [OPTIONS] <RUN> <NAME>
       runlog signal [OPTIONS] <NAME> --match <FILTER>
       runlog signal [OPTIONS] <NAME> --key <KEY> [--id <ID>]")]
pub(in crate::cli) struct Arguments {
    /// Which run (its id, the beginning of it, or @last; not with --match or --key), and the signal's name
    #[arg(required = true, num_args = 1..=2, value_names = ["RUN", "NAME"])]
    words: Vec<String>,
    /// Sends it to every live run that this filter finds
    #[arg(long = "match", value_name = "FILTER", conflicts_with = "key")]
    matching: Option<String>,
    /// Sends it to every run that waits for this key; if none does, it is kept for the first one
    #[arg(long)]
    key: Option<String>,
    /// The sender's own id for a signal to a key: one id is accepted once
    #[arg(long, requires = "key", conflicts_with = "matching")]
    id: Option<String>,
    /// What it carries: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON", default_value = "null")]
    data: String,
}

#[derive(Serialize)]
struct Body {
    payload: Box<RawValue>,
}

#[derive(Serialize)]
struct AllBody<'a> {
    q: &'a str,
    payload: Box<RawValue>,
}

#[derive(Serialize)]
struct KeyBody<'a> {
    key: &'a str,
    payload: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

#[derive(Deserialize)]
struct SignalledKey {
    runs: u64,
    kept: bool,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let Arguments { words, matching, key, id, data } = arguments;
    let payload = given::json("--data", &data)?;
    match (words.as_slice(), matching, key) {
        ([name], Some(q), None) => {
            let path = format!("signals/{}", segment(name));
            let answer = desk.client.post(&path, &AllBody { q: &q, payload }, once()).await;
            let answer = answer.map_err(|failure| super::ls::pointed(failure, &q))?;
            if !desk.passed_on(&answer, None)? {
                let Signalled { sent, ended } = answer.read()?;
                let gone = if ended > 0 { format!(", {ended} ended before") } else { String::new() };
                desk.screen.line(format!("sent to {}{gone}", counted(sent, "run")))?;
            }
        }
        ([name], None, Some(key)) => {
            let path = format!("signals/{}/key", segment(name));
            let answer = desk.client.post(&path, &KeyBody { key: &key, payload, id }, once()).await?;
            if !desk.passed_on(&answer, None)? {
                desk.screen.line(told(name, &key, &answer.read()?))?;
            }
        }
        ([run, name], None, None) => {
            let id = ids::one(&desk.client, run).await?;
            let path = format!("runs/{id}/signals/{}", segment(name));
            let answer = desk.client.post(&path, &Body { payload }, once()).await?;
            if !desk.passed_on(&answer, Some(&id))? {
                show::headline(&mut desk.screen, &answer.read::<Run>()?)?;
            }
        }
        (_, None, None) => return Err(Failure::Usage("expected a run and the signal's name".to_owned())),
        (..) => {
            let message = "with --match or --key the signal's name stands alone";
            return Err(Failure::Usage(message.to_owned()));
        }
    }
    Ok(Exit::Fine)
}

fn told(name: &str, key: &str, sent: &SignalledKey) -> String {
    let signal = format!("signal `{}` of key `{}`", plain(name), plain(key));
    match sent {
        SignalledKey { kept: true, .. } => format!("no run waits for {signal}: it is kept for the first one"),
        SignalledKey { runs: 1, .. } => format!("1 run got {signal}"),
        SignalledKey { runs, .. } => format!("{runs} runs got {signal}"),
    }
}
