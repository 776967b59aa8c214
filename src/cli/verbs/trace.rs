//! `runlog trace`: a run as spans.

use std::collections::VecDeque;

use super::{Desk, Done};
use crate::cli::client::Failure;
use crate::cli::documents::{Page, Span};
use crate::cli::exit::Exit;
use crate::cli::options::Output;
use crate::cli::{ids, show};
use crate::telemetry::names::traces as names;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Shows a run's trace as a tree, as an OpenTelemetry backend has it
    Show(Show),
}

#[derive(clap::Args)]
struct Show {
    /// Which run: its id, the beginning of it, @last or @last-failed
    run: String,
    /// Also its child runs, and theirs
    #[arg(long)]
    children: bool,
}

/// Spans of one answer.
const PAGE: &str = "500";

/// Runs of one tree.
const RUNS_MAX: usize = 1_000;

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    match arguments.verb {
        Verb::Show(arguments) => show(desk, arguments).await,
    }
}

async fn show(desk: &mut Desk, arguments: Show) -> Done {
    let id = ids::one(&desk.client, &arguments.run).await?;
    let mut runs = VecDeque::from([id]);
    let (mut spans, mut shown) = (Vec::new(), 0);
    while let Some(run) = runs.pop_front() {
        shown += 1;
        let of_run = of_run(desk, &run).await?;
        if arguments.children {
            let children = of_run.iter().filter_map(|span| span.text(names::CHILD_RUN_ID.key));
            runs.extend(children.map(str::to_owned));
        }
        spans.extend(of_run);
        if shown == RUNS_MAX && !runs.is_empty() {
            desk.screen.remark(format!("only {RUNS_MAX} runs are shown"));
            break;
        }
    }
    if desk.output == Output::Text {
        show::trace(&mut desk.screen, &spans)?;
    }
    Ok(Exit::Fine)
}

/// Reads all spans of a run; passes them on as they come where programs read them.
async fn of_run(desk: &mut Desk, run: &str) -> Result<Vec<Span>, Failure> {
    let (mut spans, mut after) = (Vec::new(), "0".to_owned());
    loop {
        let query = [("after", after.as_str()), ("limit", PAGE)];
        let answer = desk.client.get(&format!("runs/{run}/trace"), &query).await?;
        let page: Page<Box<serde_json::value::RawValue>> = answer.read()?;
        for span in &page.data {
            if desk.output == Output::Jsonl {
                desk.screen.line(span.get())?;
            }
            let span: Span =
                serde_json::from_str(span.get()).map_err(|error| Failure::Answer(error.to_string()))?;
            if desk.output == Output::Ids {
                desk.screen.line(&span.span_id)?;
            }
            spans.push(span);
        }
        if desk.output == Output::Json {
            desk.screen.raw(&answer.body)?;
        }
        match page.next {
            Some(next) => after = next,
            None => return Ok(spans),
        }
    }
}
