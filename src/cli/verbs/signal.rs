//! `runlog signal`: sends a signal to a run, or to all that a filter finds.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Desk, Done};
use crate::cli::client::{Failure, segment};
use crate::cli::documents::{Run, Signalled};
use crate::cli::exit::Exit;
use crate::cli::{given, ids, once, show};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which run (its id, the beginning of it, or @last; not with --match), and the signal's name
    #[arg(required = true, num_args = 1..=2, value_names = ["RUN", "NAME"])]
    words: Vec<String>,
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
}

#[derive(Serialize)]
struct AllBody<'a> {
    q: &'a str,
    payload: Box<RawValue>,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let payload = given::json("--data", &arguments.data)?;
    match (arguments.words.as_slice(), &arguments.matching) {
        ([name], Some(q)) => {
            let path = format!("signals/{}", segment(name));
            let answer = desk.client.post(&path, &AllBody { q, payload }, once()).await;
            let answer = answer.map_err(|failure| super::ls::pointed(failure, q))?;
            if !desk.passed_on(&answer, None)? {
                let Signalled { sent, ended } = answer.read()?;
                let gone = if ended > 0 { format!(", {ended} ended before") } else { String::new() };
                desk.screen.line(format!("sent to {sent} run{}{gone}", if sent == 1 { "" } else { "s" }))?;
            }
        }
        ([run, name], None) => {
            let id = ids::one(&desk.client, run).await?;
            let path = format!("runs/{id}/signals/{}", segment(name));
            let answer = desk.client.post(&path, &Body { payload }, once()).await?;
            if !desk.passed_on(&answer, Some(&id))? {
                show::headline(&mut desk.screen, &answer.read::<Run>()?)?;
            }
        }
        (_, Some(_)) => return Err(Failure::Usage("with --match the signal's name stands alone".to_owned())),
        (_, None) => return Err(Failure::Usage("expected a run and the signal's name".to_owned())),
    }
    Ok(Exit::Fine)
}
