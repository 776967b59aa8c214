//! `runlog events`: a run's log.

use super::{Desk, Done};
use crate::cli::documents::{Event, Page};
use crate::cli::exit::Exit;
use crate::cli::options::Output;
use crate::cli::{ids, show};
use crate::model::Timestamp;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which run: its id, the beginning of it, @last or @last-failed
    run: String,
    /// Only events after this one
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: u32,
    /// Only events of these kinds, such as step_failed,attempt_failed
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kind: Vec<String>,
    /// At most so many; all unless told
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Goes on with what happens, until the run ends
    #[arg(long, short)]
    follow: bool,
}

/// Events of one answer.
const PAGE: usize = 500;

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let id = ids::one(&desk.client, &arguments.run).await?;
    let began = began(desk, &id).await?;
    let kinds = arguments.kind.join(",");
    let mut left = arguments.limit.unwrap_or(usize::MAX);
    let mut after = arguments.after;
    while left > 0 {
        let (from, limit) = (after.to_string(), left.min(PAGE).to_string());
        let mut query = vec![("after", from.as_str()), ("limit", limit.as_str())];
        if !kinds.is_empty() {
            query.push(("kind", &kinds));
        }
        let answer = desk.client.get(&format!("runs/{id}/events"), &query).await?;
        if desk.output == Output::Json {
            desk.screen.raw(&answer.body)?;
            return Ok(Exit::Fine);
        }
        let page: Page<Box<serde_json::value::RawValue>> = answer.read()?;
        left = left.saturating_sub(page.data.len());
        for event in &page.data {
            print(desk, event.get(), began)?;
        }
        match page.next.and_then(|next| next.parse().ok()) {
            Some(next) => after = next,
            None => break,
        }
    }
    if arguments.follow { follow(desk, &id, after, &arguments.kind, began).await } else { Ok(Exit::Fine) }
}

/// The instant that the others are counted from: the first event's.
async fn began(desk: &Desk, id: &str) -> Result<Timestamp, crate::cli::client::Failure> {
    let first: Event = desk.client.read(&format!("runs/{id}/events/1"), &[]).await?;
    Ok(first.at)
}

async fn follow(desk: &mut Desk, id: &str, after: u32, kinds: &[String], began: Timestamp) -> Done {
    let from = after.to_string();
    let mut messages = desk.client.stream(&format!("runs/{id}/stream"), &[("after", &from)]).await?;
    while let Some(message) = messages.next().await {
        let message = message?;
        match message.event.as_str() {
            "run.event" => {
                let event: Event = serde_json::from_str(&message.data)
                    .map_err(|error| crate::cli::client::Failure::Answer(error.to_string()))?;
                if kinds.is_empty() || kinds.contains(&event.kind) {
                    print(desk, &message.data, began)?;
                }
            }
            "end" => break,
            _ => {}
        }
    }
    Ok(Exit::Fine)
}

fn print(desk: &mut Desk, json: &str, began: Timestamp) -> Result<(), crate::cli::client::Failure> {
    if desk.output != Output::Text {
        return Ok(desk.screen.line(json)?);
    }
    let event: Event =
        serde_json::from_str(json).map_err(|error| crate::cli::client::Failure::Answer(error.to_string()))?;
    Ok(show::event_line(&mut desk.screen, &event, began)?)
}
