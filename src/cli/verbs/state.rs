//! `runlog state`: a run after some event.

use super::{Desk, Done};
use crate::cli::documents::StateAt;
use crate::cli::exit::Exit;
use crate::cli::show::{Style, plain};
use crate::cli::{ids, show};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which run: its id, the beginning of it, @last or @last-failed
    run: String,
    /// After which event; the last one unless told
    #[arg(long, value_name = "SEQ")]
    at: Option<u32>,
    /// Only what that event changed
    #[arg(long)]
    diff: bool,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let id = ids::one(&desk.client, &arguments.run).await?;
    let at = arguments.at.map(|at| at.to_string());
    let query: Vec<(&str, &str)> = at.as_deref().map(|at| ("at", at)).into_iter().collect();
    let answer = desk.client.get(&format!("runs/{id}/state"), &query).await?;
    if desk.passed_on(&answer, Some(&id))? {
        return Ok(Exit::Fine);
    }
    let state: StateAt = answer.read()?;
    let head = format!("after event {}, {}, {}", state.seq, plain(&state.kind), desk.screen.time(state.at));
    desk.screen.line(desk.screen.paint(Style::Strong, head))?;
    show::changes(&mut desk.screen, "changed", &state.changes)?;
    if !arguments.diff {
        desk.screen.line(plain(state.state.get()))?;
    }
    Ok(Exit::Fine)
}
