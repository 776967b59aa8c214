//! What conditions ask of the code: judged in a future of its own, once for each value.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::RunMsg;
use super::draft::Pending;
use super::live::Live;
use crate::model::failure::CONDITION;
use crate::model::{Command, Failure, Payload, PayloadError};
use crate::workflow::Judge;

/// Code that judges. Dropping it aborts the code.
pub(super) struct Judging(JoinHandle<()>);

impl Drop for Judging {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One question: the term, who judges it, and the value.
type Question = (u16, Option<Arc<Judge>>, Payload);

impl Live {
    /// Has the code judge what the conditions of these tasks ask, where it does not do so yet; and no others.
    pub(super) fn judge(&mut self, tasks: &BTreeSet<usize>) {
        let definition = self.definition.clone().filter(|_| !self.blocked && !self.draining);
        self.judging.retain(|task, _| definition.is_some() && tasks.contains(task));
        let (Some(state), Some(definition)) = (&self.state, definition) else { return };
        for task in tasks {
            let Entry::Vacant(place) = self.judging.entry(*task) else { continue };
            let judges = definition.code.get(*task).map(|code| code.judges.as_slice()).unwrap_or_default();
            let judge = |term: u16| judges.get(usize::from(term)).and_then(Clone::clone);
            let questions = state.questions(*task).into_iter();
            let questions: Vec<Question> =
                questions.map(|(term, value)| (term, judge(term), value.clone())).collect();
            let (at, myself) = (*task, self.myself.clone());
            let code = tokio::spawn(async move {
                let _gone = myself.cast(RunMsg::Judged { task: at, verdicts: answer(questions) });
            });
            place.insert(Judging(code));
        }
    }

    /// The code judged: its verdicts wait for the append under way.
    pub(super) fn verdicts(&mut self, at: usize, verdicts: Result<Vec<(u16, bool)>, Failure>) {
        let Some(judging) = self.judging.remove(&at) else { return };
        drop(judging);
        let Some(task) = self.state.as_ref().and_then(|state| state.tasks.get(at)) else { return };
        let command = Command::Judge { task: task.name.clone(), verdicts };
        self.pending.push_back(Pending::command(command));
    }
}

fn answer(questions: Vec<Question>) -> Result<Vec<(u16, bool)>, Failure> {
    let verdict = |(term, judge, value): Question| {
        let judge =
            judge.ok_or_else(|| Failure::new(CONDITION, "the code has nothing to judge a condition by"))?;
        let judged = catch_unwind(AssertUnwindSafe(|| judge(&value)));
        match judged {
            Ok(Ok(met)) => Ok((term, met)),
            Ok(Err(error)) => Err(unreadable(&error)),
            Err(panic) => Err(panicked(&Failure::of_panic(&*panic))),
        }
    };
    questions.into_iter().map(verdict).collect()
}

fn unreadable(error: &PayloadError) -> Failure {
    Failure::new(CONDITION, format!("a condition cannot read what it is to judge: {error}"))
}

fn panicked(panic: &Failure) -> Failure {
    Failure::new(CONDITION, format!("a condition panicked: {}", panic.message))
}
