//! The verbs about runs, a file each: what it may be told, what it asks, what it prints.

pub(super) mod audit;
pub(super) mod bulk;
pub(super) mod cancel;
pub(super) mod diff;
pub(super) mod events;
pub(super) mod export;
pub(super) mod failures;
pub(super) mod get;
pub(super) mod graph;
pub(super) mod import;
pub(super) mod limits;
pub(super) mod logs;
pub(super) mod ls;
pub(super) mod nodes;
pub(super) mod replay;
pub(super) mod retention;
pub(super) mod schedules;
pub(super) mod signal;
pub(super) mod start;
pub(super) mod state;
pub(super) mod trace;
pub(super) mod triggers;
pub(super) mod watch;
pub(super) mod why;
pub(super) mod workflows;

use super::client::{Answer, Client, Failure};
use super::exit::Exit;
use super::options::Output;
use super::show::Screen;

/// What every verb works with.
pub(super) struct Desk {
    pub(super) client: Client,
    pub(super) screen: Screen,
    pub(super) output: Output,
}

/// How a verb ends.
pub(super) type Done = Result<Exit, Failure>;

impl Desk {
    /// Prints an answer as it is, for programs; false when people are to be shown it.
    pub(super) fn passed_on(&mut self, answer: &Answer, id: Option<&str>) -> Result<bool, Failure> {
        match (self.output, id) {
            (Output::Text, _) => return Ok(false),
            (Output::Ids, Some(id)) => self.screen.line(id)?,
            (Output::Json | Output::Jsonl | Output::Ids, _) => self.screen.raw(&answer.body)?,
        }
        Ok(true)
    }
}
