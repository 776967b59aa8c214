//! `runlog get`: everything about a run.

use super::{Desk, Done};
use crate::cli::client::segment;
use crate::cli::documents::Run;
use crate::cli::exit::Exit;
use crate::cli::{ids, show};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which run: its id, the beginning of it, @last or @last-failed
    run: String,
    /// Only this task, with its attempts and steps
    #[arg(long, value_name = "NAME")]
    task: Option<String>,
    /// Only the input, byte for byte
    #[arg(long, conflicts_with_all = ["payload_output", "task"])]
    input: bool,
    /// Only the output, byte for byte: the task's with --task
    #[arg(long = "result", alias = "output-only")]
    payload_output: bool,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let id = ids::one(&desk.client, &arguments.run).await?;
    let task = arguments.task.as_deref().map(|task| format!("/tasks/{}", segment(task))).unwrap_or_default();
    if arguments.input || arguments.payload_output {
        let which = if arguments.input { "input" } else { "output" };
        let answer = desk.client.get(&format!("runs/{id}{task}/{which}"), &[]).await?;
        desk.screen.raw(&answer.body)?;
        return Ok(Exit::Fine);
    }
    let answer = desk.client.get(&format!("runs/{id}{task}"), &[]).await?;
    if desk.passed_on(&answer, Some(&id))? {
        return Ok(Exit::Fine);
    }
    match arguments.task {
        Some(_) => show::task(&mut desk.screen, &answer.read()?)?,
        None => show::run(&mut desk.screen, &answer.read::<Run>()?)?,
    }
    Ok(Exit::Fine)
}
