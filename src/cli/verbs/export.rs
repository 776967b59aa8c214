//! `runlog export`: a run as JSON lines, to take along.

use super::{Desk, Done};
use crate::cli::exit::Exit;
use crate::cli::ids;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which runs, one after another: ids, beginnings of them, @last, or - for ids on standard input
    #[arg(required = true)]
    runs: Vec<String>,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    for id in ids::all(&desk.client, &arguments.runs).await? {
        let answer = desk.client.get(&format!("runs/{id}/export"), &[]).await?;
        desk.screen.raw(&answer.body)?;
    }
    Ok(Exit::Fine)
}
