//! `runlog state`: a run after some event.

use super::{Desk, Done};
use crate::cli::documents::{State, StateAt};
use crate::cli::exit::Exit;
use crate::cli::show::{Cell, Screen, Style, Table, plain, status};
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
        print(&mut desk.screen, &state.state)?;
        desk.screen.remark(format!("next: runlog state {id} --at {} -o json    all of it", state.seq));
    }
    Ok(Exit::Fine)
}

fn print(screen: &mut Screen, state: &State) -> std::io::Result<()> {
    let (word, style) = status(&state.status);
    let mut head = style.map_or(word.clone(), |style| screen.paint(style, &word));
    if let Some(node) = state.node {
        head.push_str(&format!(", node {node}"));
    }
    if let Some(deadline) = state.deadline {
        head.push_str(&format!(", until {}", screen.time(deadline)));
    }
    screen.line("")?;
    screen.line(head)?;
    if state.tasks.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(vec!["TASK", "STATUS", "ATTEMPTS", "STEPS AND WAITS", "OUTPUT"], 4);
    for task in &state.tasks {
        let (word, style) = status(&task.status);
        let output = task.output.as_ref().map(|output| plain(output.get())).unwrap_or_default();
        let row = [task.attempts.len(), task.ops.len()].map(|count| Cell::new(count.to_string()));
        let [attempts, ops] = row;
        table.row(vec![plain(&task.name).into(), Cell::styled(word, style), attempts, ops, output.into()]);
    }
    table.print(screen)
}
