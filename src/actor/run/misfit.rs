//! Code that seems not to fit its log: the log is played against it before the run is blocked.
//!
//! A recovery finds what the code does not ask for, and is wrong where the code may do without: what the loser of a race
//! had spawned, or what was dropped outside of a race. The play is the judge.

use std::sync::Arc;

use super::RunMsg;
use super::draft::Pending;
use super::live::Live;
use crate::model::Command;
use crate::model::divergence::Diff;
use crate::model::limits::EVENTS_EXPLAINED_MAX;
use crate::workflow::check;

impl Live {
    /// An attempt's code seems not to fit the log: compares all of them, and blocks the run with what differs. The code
    /// has ended; `headline` is what it was ended for, and all that is said of a log too long to compare.
    pub(super) fn misfit(&mut self, at: usize, headline: String) {
        let Some(live) = self.attempts.get_mut(&at) else { return };
        live.idle = false;
        let events = self.state.as_ref().map_or(0, |state| state.seq);
        let (Some(code), ..=EVENTS_EXPLAINED_MAX) = (self.definition.clone(), events) else {
            let report = format!("task `{}`: {headline}", live.name);
            return self.block(report);
        };
        let (store, clock) = (Arc::clone(&self.engine.store), Arc::clone(&self.engine.clock));
        let (run, task, attempt, myself) = (self.run, live.name.clone(), live.attempt, self.myself.clone());
        live.code = tokio::spawn(async move {
            let diff = match store.log(run, 0, events).await {
                Ok(log) => check::judge(&code, run, &task, &log, &clock).await,
                Err(_) => None,
            };
            let fits = diff.as_ref().is_some_and(Diff::is_empty);
            let found = diff.filter(|_| !fits).map(|diff| diff.to_string());
            let report = format!("task `{task}`: {}", found.unwrap_or(headline));
            let _gone = myself.cast(RunMsg::Misfit { task: at, attempt, fits, report });
        });
    }

    /// The code is judged. If it fits, it is begun again, and not asked for what it does without; code that does not get
    /// further then, either, blocks the run.
    pub(super) fn judged(&mut self, at: usize, attempt: u32, fits: bool, report: String) {
        let Some(live) = self.attempts.get(&at).filter(|live| live.attempt == attempt) else { return };
        match self.definition.clone().filter(|_| fits && !live.lenient && !self.draining) {
            Some(definition) => {
                self.attempts.remove(&at);
                self.spawn_attempt(at, &definition, true);
            }
            None => self.block(report),
        }
    }

    /// The code at hand does not fit the log: its attempts end, and the run waits, visibly, for other code.
    pub(super) fn block(&mut self, report: String) {
        // It is tried again every minute: one line says it.
        if self.state.as_ref().is_none_or(|state| state.blocked.as_ref() != Some(&report)) {
            tracing::error!(run = %self.run, %report, "the run is blocked");
        }
        self.blocked = true;
        self.pending.push_back(Pending::command(Command::Block { report }));
    }
}
