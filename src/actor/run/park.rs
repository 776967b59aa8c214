//! Parking: a run that only waits is written down and leaves memory.

use std::time::Duration;

use super::RunMsg;
use super::draft::Draft;
use super::live::Live;
use crate::model::effects::wake_at;
use crate::model::limits::{BLOCKED_RETRY, SNAPSHOT_EVERY_EVENTS};
use crate::model::state::OpState;
use crate::model::{Event, OpKey, RunEvent, RunState, Status, TaskEvent, TaskStatus, Timestamp};
use crate::store::Release;

impl Live {
    /// Says whether no code of the run is at work, as far as the attempts said.
    pub(super) fn is_idle(&self) -> bool {
        self.judging.is_empty() && self.attempts.values().all(|live| live.idle)
    }

    /// Starts counting how long the run rests, or forgets it.
    pub(super) fn watch_rest(&mut self) {
        let may_rest = self.state.is_some() && self.is_idle();
        match (&self.rest, may_rest) {
            (None, true) if !self.has_rested => {
                let (wait, myself) = (self.engine.settings.park_after, self.myself.clone());
                self.rest = Some(tokio::spawn(async move {
                    tokio::time::sleep(wait).await;
                    let _gone = myself.cast(RunMsg::Rested);
                }));
            }
            (Some(timer), false) => {
                timer.abort();
                self.rest = None;
                self.has_rested = false;
            }
            (_, false) => self.has_rested = false,
            (_, true) => {}
        }
    }

    pub(super) fn rested(&mut self) {
        self.rest = None;
        self.has_rested = self.is_idle();
    }

    /// Parks the run in a commit of its own, when it came to rest without a last event to park it with.
    pub(super) fn park_if_at_rest(&mut self) {
        if self.draining && self.is_idle() {
            return self.stop();
        }
        let mut draft = Draft::new(self.claimed);
        self.add_release(&mut draft);
        if draft.release.is_some() {
            self.append(draft);
        }
    }

    /// Adds the run's release to the draft, if the run only waits after it.
    pub(super) fn add_release(&self, draft: &mut Draft) {
        let Some(state) = &self.state else { return };
        if self.asking > 0 || draft.events.iter().any(begins_wait_by_key) {
            // What is kept for it is asked for first: nobody would do it for a run that is parked.
            return;
        }
        if self.has_mail || !self.pending.is_empty() || !self.is_idle() || draft.events.iter().any(wakes_code)
        {
            return;
        }
        let stays = self.definition.is_some() && !self.blocked && !self.has_rested;
        if stays && (state.tasks.iter().any(waits_for_others) || draft.events.iter().any(begins_wait)) {
            // It must rest first; no need to fold ahead, which copies the state.
            return;
        }
        let now = self.now();
        let newest = draft.events.len();
        let Some(after) = draft.state_after(state, now) else { return };
        let wake = self.release_at(after, now.at, newest > 0);
        draft.release =
            wake.map(|wake_at| Release { wake_at, mail_seen: self.mail_seen, claims: self.claims });
    }

    /// Returns until when the run may be parked (`Some(None)`: until a message comes), or `None` when it must stay.
    fn release_at(&self, after: &RunState, now: Timestamp, fresh: bool) -> Option<Option<Timestamp>> {
        if after.status.is_terminal() || after.cancel.is_some() && !self.attempts.is_empty() {
            return None;
        }
        let wake = wake_at(after, self.told_until);
        if self.blocked {
            let again = crate::model::decide::after(now, BLOCKED_RETRY);
            return Some(Some(wake.map_or(again, |wake| wake.min(again))));
        }
        if self.definition.is_none() {
            // Another node has the code: the run is due for it at once, or at its start time.
            let due = match after.status {
                Status::Queued => after.queued_until().max(now),
                _ => now,
            };
            return Some(Some(due));
        }
        if after.status == Status::Queued {
            // A message brought it here before its time.
            return Some(Some(after.queued_until()));
        }
        let missing = after
            .tasks
            .iter()
            .enumerate()
            .any(|(at, task)| task.status == TaskStatus::Running && !self.attempts.contains_key(&at));
        let ready = after
            .tasks
            .iter()
            .any(|task| task.ops.values().any(|op| is_unread(op.attempt, &op.state, task.attempt(), fresh)));
        let asks = (0..after.tasks.len()).any(|at| after.asks(at));
        if missing || ready || asks {
            return None;
        }
        let near =
            crate::model::decide::after(now, self.engine.settings.park_after.max(Duration::from_millis(1)));
        let only_far_timer = !after.tasks.iter().any(waits_for_others);
        match wake {
            Some(at) if at <= near => None,
            Some(at) if only_far_timer || self.has_rested => Some(Some(at)),
            None if self.has_rested => Some(None),
            Some(_) | None => None,
        }
    }

    /// Keeps a snapshot when enough events came since the last one.
    pub(super) fn keep_snapshot(&self) {
        let Some(state) =
            self.state.as_ref().filter(|state| state.seq >= self.snapshot_seq + SNAPSHOT_EVERY_EVENTS)
        else {
            return;
        };
        let (store, state) = (std::sync::Arc::clone(&self.engine.store), state.clone());
        tokio::spawn(async move {
            if let Err(error) = store.keep_snapshot(&state).await {
                tracing::debug!(run = %state.id, %error, "a snapshot was not kept");
            }
        });
    }
}

/// Says whether code will go on because of the event.
fn wakes_code(event: &Event) -> bool {
    match event {
        Event::Run(event) => {
            matches!(event, RunEvent::SignalReceived(_) | RunEvent::CancelRequested(_) | RunEvent::Started(_))
        }
        Event::Task(_, event) => matches!(
            event,
            TaskEvent::AttemptStarted(_)
                | TaskEvent::TimerFired(_)
                | TaskEvent::SignalTimedOut(_)
                | TaskEvent::ChildFinished(_)
                | TaskEvent::StepFailed(_)
                | TaskEvent::StepStarted(_)
        ),
    }
}

/// Says whether the event is the beginning of a wait for something other than time.
fn begins_wait(event: &Event) -> bool {
    matches!(
        event,
        Event::Task(
            _,
            TaskEvent::SignalAwaited(_) | TaskEvent::ChildStarted(_) | TaskEvent::ConditionsOpened(_)
        )
    )
}

/// Says whether the event is the beginning of a wait for a signal by key.
fn begins_wait_by_key(event: &Event) -> bool {
    matches!(event, Event::Task(_, TaskEvent::SignalAwaited(wait)) if wait.key.is_some())
}

/// Says whether a wait that was just recorded has its outcome already: a signal that had come before.
fn is_unread(op_attempt: u32, op: &OpState, attempt: u32, fresh: bool) -> bool {
    fresh && op_attempt == attempt && matches!(op, OpState::Signal { outcome: Some(_), .. })
}

/// Says whether something other than time can set the task going soon.
fn waits_for_others(task: &crate::model::state::TaskState) -> bool {
    let waits = |(_, op): (&OpKey, &crate::model::state::Op)| {
        matches!(op.state, OpState::Signal { outcome: None, .. } | OpState::Child { outcome: None, .. })
    };
    task.status == TaskStatus::Running && task.ops.iter().any(waits) || task.open_gate().is_some()
}
