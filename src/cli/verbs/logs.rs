//! `runlog logs`: the lines that a run's code wrote.

use super::{Desk, Done};
use crate::cli::client::Failure;
use crate::cli::documents::{LogLine, Logs};
use crate::cli::exit::Exit;
use crate::cli::ids;
use crate::cli::options::Output;
use crate::cli::show;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which run: its id, the beginning of it, @last or @last-failed
    run: String,
    /// Only this task's
    #[arg(long, value_name = "NAME")]
    task: Option<String>,
    /// Only this attempt's
    #[arg(long, value_name = "NUMBER", requires = "task")]
    attempt: Option<u32>,
    /// Only lines of this level and above: trace, debug, info, warn or error
    #[arg(long, value_name = "LEVEL")]
    level: Option<String>,
    /// Goes on with what is written, until the run ends
    #[arg(long, short)]
    follow: bool,
}

/// Lines of one answer.
const PAGE: &str = "500";

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let id = ids::one(&desk.client, &arguments.run).await?;
    let attempt = arguments.attempt.map(|attempt| attempt.to_string());
    let mut filter: Vec<(&str, &str)> = Vec::new();
    filter.extend(arguments.task.as_deref().map(|task| ("task", task)));
    filter.extend(attempt.as_deref().map(|attempt| ("attempt", attempt)));
    filter.extend(arguments.level.as_deref().map(|level| ("level", level)));
    if arguments.follow {
        return follow(desk, &id, &filter).await;
    }
    let mut after: Option<String> = None;
    let mut any = false;
    loop {
        let mut query = filter.clone();
        query.push(("limit", PAGE));
        query.extend(after.as_deref().map(|after| ("after", after)));
        let answer = desk.client.get(&format!("runs/{id}/logs"), &query).await?;
        if desk.output == Output::Json {
            desk.screen.raw(&answer.body)?;
            return Ok(Exit::Fine);
        }
        let page: Logs = answer.read()?;
        any |= !page.data.is_empty();
        page.data.iter().try_for_each(|line| print(desk, line.get()))?;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if !any && desk.output == Output::Text {
        desk.screen.remark(
            "this run wrote no such line: `cx.log` writes lines, and `telemetry::log_layer` captures events",
        );
    }
    Ok(Exit::Fine)
}

async fn follow(desk: &mut Desk, id: &str, filter: &[(&str, &str)]) -> Done {
    let mut messages = desk.client.stream(&format!("runs/{id}/logs/stream"), filter).await?;
    while let Some(message) = messages.next().await {
        let message = message?;
        match message.event.as_str() {
            "end" => break,
            "log" => print(desk, &message.data)?,
            _ => {}
        }
    }
    Ok(Exit::Fine)
}

fn print(desk: &mut Desk, json: &str) -> Result<(), Failure> {
    if desk.output != Output::Text {
        return Ok(desk.screen.line(json)?);
    }
    let line: LogLine = serde_json::from_str(json).map_err(|error| Failure::Answer(error.to_string()))?;
    Ok(show::log_line(&mut desk.screen, &line)?)
}
