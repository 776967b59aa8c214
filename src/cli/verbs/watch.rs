//! `runlog watch`: a run's events as they happen, until its end.

use std::str::FromStr;
use std::time::Duration;

use super::{Desk, Done};
use crate::cli::client::Failure;
use crate::cli::documents::{Event, Run};
use crate::cli::exit::Exit;
use crate::cli::options::Output;
use crate::cli::{ids, show};
use crate::model::{Status, Timestamp};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which run: its id, the beginning of it, @last or @last-failed
    run: String,
    /// Waits at most so long; the exit code is 124 then
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
}

/// A stream that breaks is taken up again after so long, from where it broke.
const PAUSE: Duration = Duration::from_secs(1);

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let id = ids::one(&desk.client, &arguments.run).await?;
    until_end(desk, &id, arguments.timeout).await
}

/// Shows what happens until the run ends, and how it ended.
pub(in crate::cli) async fn until_end(desk: &mut Desk, id: &str, limit: Option<Duration>) -> Done {
    let watched = events(desk, id);
    match limit {
        None => watched.await?,
        Some(limit) => match tokio::time::timeout(limit, watched).await {
            Ok(watched) => watched?,
            Err(_) => {
                desk.screen.remark(format!("runlog: run {id} has not ended within {limit:?}"));
                return Ok(Exit::WaitTimedOut);
            }
        },
    }
    let answer = desk.client.get(&format!("runs/{id}"), &[]).await?;
    let run: Run = answer.read()?;
    match desk.output {
        Output::Text => {
            desk.screen.line("")?;
            show::run(&mut desk.screen, &run)?;
        }
        // The events were its lines.
        Output::Jsonl => {}
        Output::Json | Output::Ids => {
            desk.passed_on(&answer, Some(id))?;
        }
    }
    let status = Status::from_str(&run.status);
    status.map(Exit::of).map_err(|_| Failure::Answer(format!("status {:?} is unknown", run.status)))
}

/// Shows events until the last one, across lost connections.
async fn events(desk: &mut Desk, id: &str) -> Result<(), Failure> {
    let (mut after, mut began) = (0, None);
    loop {
        let from = after.to_string();
        let mut messages = match desk.client.stream(&format!("runs/{id}/stream"), &[("after", &from)]).await {
            Ok(messages) => messages,
            // It was there when we began: it will be there again.
            Err(failure @ Failure::Unreachable { .. }) if after > 0 => {
                desk.screen.remark(format!("runlog: {failure}: trying again"));
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        while let Some(message) = messages.next().await {
            let Ok(message) = message else { break };
            match message.event.as_str() {
                "run.event" => {
                    let event: Event = serde_json::from_str(&message.data)
                        .map_err(|error| Failure::Answer(error.to_string()))?;
                    after = event.seq;
                    print(desk, &message.data, &event, *began.get_or_insert(event.at))?;
                }
                "end" => return Ok(()),
                "reset" => after = 0,
                _ => {}
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn print(desk: &mut Desk, json: &str, event: &Event, began: Timestamp) -> Result<(), Failure> {
    match desk.output {
        Output::Text => show::event_line(&mut desk.screen, event, began)?,
        Output::Jsonl => desk.screen.line(json)?,
        Output::Json | Output::Ids => {}
    }
    Ok(())
}
