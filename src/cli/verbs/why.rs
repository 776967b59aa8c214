//! `runlog why`: why a run failed, or what it waits for.

use std::str::FromStr;

use super::{Desk, Done};
use crate::cli::client::Failure;
use crate::cli::documents::Why;
use crate::cli::exit::Exit;
use crate::cli::{ids, show};
use crate::model::Status;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which run: its id, the beginning of it, @last or @last-failed
    #[arg(default_value = "@last-failed")]
    run: String,
}

/// Columns of the graph where there is no terminal.
const WIDTH_DEFAULT: usize = 100;

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let id = ids::one(&desk.client, &arguments.run).await?;
    let answer = desk.client.get(&format!("runs/{id}/why"), &[]).await?;
    let why: Why = answer.read()?;
    if !desk.passed_on(&answer, Some(&id))? {
        show::why(&mut desk.screen, &why)?;
        let width = desk.screen.width().unwrap_or(WIDTH_DEFAULT).clamp(20, 1_000).to_string();
        let graph = [("format", "ascii"), ("width", width.as_str())];
        let graph = desk.client.get(&format!("runs/{id}/graph"), &graph).await?;
        desk.screen.line("")?;
        show::text(&mut desk.screen, &graph.body)?;
        show::actions(&mut desk.screen, &why)?;
    }
    let status = Status::from_str(&why.status);
    status.map(Exit::of).map_err(|_| Failure::Answer(format!("status {:?} is unknown", why.status)))
}
