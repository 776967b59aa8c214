//! `runlog signal`: sends a signal to a run.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Desk, Done};
use crate::cli::client::segment;
use crate::cli::documents::Run;
use crate::cli::exit::Exit;
use crate::cli::{given, ids, once, show};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which run: its id, the beginning of it, or @last
    run: String,
    /// The signal's name
    name: String,
    /// What it carries: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON", default_value = "null")]
    data: String,
}

#[derive(Serialize)]
struct Body {
    payload: Box<RawValue>,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let payload = given::json("--data", &arguments.data)?;
    let id = ids::one(&desk.client, &arguments.run).await?;
    let path = format!("runs/{id}/signals/{}", segment(&arguments.name));
    let answer = desk.client.post(&path, &Body { payload }, once()).await?;
    if !desk.passed_on(&answer, Some(&id))? {
        show::headline(&mut desk.screen, &answer.read::<Run>()?)?;
    }
    Ok(Exit::Fine)
}
