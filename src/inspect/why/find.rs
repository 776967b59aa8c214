//! The cause as one run's own log tells it.

use std::time::Duration;

use super::super::InspectError;
use super::super::history::History;
use super::cause::{Cause, Fault, NoMore};
use super::site::{Blame, Site, blame, failed_task};
use super::waits::Wait;
use crate::model::event::Timeout;
use crate::model::state::{End, RunState};
use crate::model::waiting::waiting;
use crate::model::{Failure, RunId, Status, TaskName, Timestamp, Waiting};

/// What one run's log says, and which other run knows more.
pub(super) struct Finding {
    pub(super) cause: Cause,
    pub(super) site: Option<Site>,
    pub(super) waits: Vec<Wait>,
    /// The task on the way to `next`, or where the cause lies.
    pub(super) task: Option<TaskName>,
    pub(super) next: Option<Next>,
}

/// Which other run knows more.
#[derive(Clone, Copy)]
pub(super) enum Next {
    /// A child run ended badly, or is waited for.
    Child(RunId),
    /// The parent run ended this one.
    Parent(RunId),
}

/// Reads the cause off a run's log. `nobody` says why no node takes it, if none does.
pub(super) fn find(history: &History, nobody: Option<Waiting>) -> Result<Finding, InspectError> {
    let state = &history.state;
    let end = match (&state.end, state.status) {
        (Some(end), _) => end,
        (None, Status::Succeeded) => return Ok(Finding::of(Cause::Succeeded)),
        (None, _) => return Ok(live(history, state, nobody)),
    };
    match end {
        End::Failed { task, error } => Ok(failed(history, task.as_ref(), error)),
        End::TimedOut { timeout, deadline } => timed_out(history, *timeout, *deadline, nobody),
        End::Cancelled { reason, by } => {
            let at = state.cancel.as_ref().map(|cancel| cancel.at).or(state.finished_at);
            let cause = Cause::Cancelled { by: by.clone(), reason: reason.clone(), at, abort_at: None };
            Ok(Finding { next: parent(history, by.as_deref()), ..Finding::of(cause) })
        }
    }
}

impl Finding {
    pub(super) fn of(cause: Cause) -> Finding {
        Finding { cause, site: None, waits: Vec::new(), task: None, next: None }
    }
}

/// Says what a run is at in a state before its end.
fn live(history: &History, state: &RunState, nobody: Option<Waiting>) -> Finding {
    let site = Site::at_work(state);
    let mut waits = waiting(state);
    waits.retain(|waiting| *waiting != Waiting::Node || nobody.is_none());
    waits.splice(0..0, nobody);
    let next = waits.iter().find_map(child);
    let (cause, next) = match (&state.cancel, &state.blocked) {
        (Some(cancel), _) => {
            let (by, reason) = (cancel.by.clone(), cancel.reason.clone());
            let next = parent(history, by.as_deref());
            (Cause::Cancelled { by, reason, at: Some(cancel.at), abort_at: Some(cancel.abort_at) }, next)
        }
        (None, Some(report)) => (Cause::Blocked { report: report.clone() }, None),
        (None, None) if waits.is_empty() => (Cause::Working, None),
        (None, None) => (Cause::Waiting, next),
    };
    let waits = waits.into_iter().map(|waiting| Wait::of(history, waiting)).collect();
    Finding { task: site.as_ref().map(|site| site.task.clone()), cause, site, waits, next }
}

pub(super) fn child(waiting: &Waiting) -> Option<Next> {
    match waiting {
        Waiting::Child { run } => Some(Next::Child(*run)),
        _ => None,
    }
}

/// Says whether it was the parent run that cancelled this one.
fn parent(history: &History, by: Option<&str>) -> Option<Next> {
    let parent = history.state.origin.parent.as_ref()?;
    let is_parent = by.and_then(|by| by.strip_prefix("run ")) == Some(parent.run.to_string().as_str());
    is_parent.then_some(Next::Parent(parent.run))
}

fn failed(history: &History, task: Option<&TaskName>, error: &Failure) -> Finding {
    let Some(failed) = failed_task(&history.state, task) else {
        let (fault, error) = (Fault::of(error), error.clone());
        let cause = Cause::Failed { fault, no_more: NoMore::Unknown, error };
        return Finding { task: task.cloned(), ..Finding::of(cause) };
    };
    let blame = blame(history, failed);
    let step = match &blame {
        Some(Blame::Step(op)) => Some(op),
        Some(Blame::Child(_)) | None => None,
    };
    let mut site = Site::of(&history.state, failed, step);
    // Poison has no failed attempt of its own: its error is the run's.
    let error = site.error.get_or_insert_with(|| error.clone()).clone();
    let fault = Fault::of(&error);
    let allowed = failed.attempts.last().and_then(|attempt| attempt.end.as_ref()?.allowed);
    let no_more = match site.retryable {
        Some(false) => NoMore::NotRetryable,
        _ => NoMore::of(site.attempt, allowed),
    };
    let no_more = match (&site.step, no_more) {
        (Some(step), NoMore::OneTry) if step.tries > 1 => NoMore::Exhausted,
        (_, no_more) => no_more,
    };
    let next = match blame {
        Some(Blame::Child(run)) => Some(Next::Child(run)),
        Some(Blame::Step(_)) | None => None,
    };
    let task = Some(site.task.clone());
    Finding { site: Some(site), task, next, ..Finding::of(Cause::Failed { fault, no_more, error }) }
}

fn timed_out(
    history: &History,
    timeout: Timeout,
    deadline: Timestamp,
    nobody: Option<Waiting>,
) -> Result<Finding, InspectError> {
    let origin = &history.state.origin;
    let limit = match timeout {
        Timeout::Start => (deadline - origin.created_at).to_std().ok(),
        Timeout::Run => origin.timeout_ms.map(Duration::from_millis),
    };
    let cause = Cause::TimedOut { timeout, deadline, limit };
    Ok(Finding { cause, ..at_the_end(history, nobody)? })
}

/// Says what a run was at before its end.
pub(super) fn at_the_end(history: &History, nobody: Option<Waiting>) -> Result<Finding, InspectError> {
    Ok(live(history, &history.before_end()?, nobody))
}
