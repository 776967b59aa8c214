//! How a run leaves memory: at its end, drained, orphaned, or refused by the database.

use std::sync::Arc;
use std::time::Duration;

use super::live::Live;
use crate::actor::claimer::Hint;
use crate::actor::watchers::Finish;
use crate::store::{Release, StoreError};

/// The pause before the log of a run is folded again whose events are refused though it is blocked.
const REFOLD_PAUSE: Duration = Duration::from_secs(1);

impl Live {
    /// The process shuts down: the run stops at its next checkpoint.
    pub(super) fn drain(&mut self) {
        self.draining = true;
        self.leave_rested(&[]);
        if self.under_way.is_none() && self.pending.is_empty() && self.is_idle() {
            self.stop();
        }
    }

    /// Drops attempts whose code came to a checkpoint, with the batches of reports that were just `answered`; they are
    /// taken up again elsewhere.
    pub(super) fn leave_rested(&mut self, answered: &[usize]) {
        self.attempts.retain(|at, live| {
            let answered = answered.iter().filter(|task| *task == at).count();
            !live.idle && !live.ledger.is_at_checkpoint(u32::try_from(answered).unwrap_or(u32::MAX))
        });
    }

    /// Lets the claimer know of a run that is due before its next poll.
    pub(super) fn hint_release(&self, release: Option<Release>) {
        let soon = |at| self.engine.clock.until(at) < self.engine.settings.poll_interval;
        if release.and_then(|release| release.wake_at).is_some_and(soon) {
            self.engine.hint_due();
        }
    }

    /// The database refuses what the run wants to record, or the run cannot say it: a person must look. The run is
    /// blocked, for its code would only do the same again, and its effects with it.
    pub(super) fn fail(&mut self, error: &StoreError) {
        tracing::error!(run = %self.run, %error, "the run's events are refused");
        if !self.blocked && !matches!(error, StoreError::Conflict { .. }) {
            self.attempts.clear();
            self.judging.clear();
            self.pending.clear();
            return self.block(format!("its events are refused: {error}"));
        }
        self.engine.live.remove(self.run, self.myself.get_id());
        let (engine, run) = (Arc::clone(&self.engine), self.run);
        tokio::spawn(async move {
            tokio::time::sleep(REFOLD_PAUSE).await;
            engine.hint(Hint::Orphan(run));
        });
        self.stop();
    }

    /// Leaves the run, which stays this node's, to another actor.
    pub(super) fn orphan(&mut self) {
        // The claimer passes over runs that live: this one must not when it hears of it.
        self.engine.live.remove(self.run, self.myself.get_id());
        self.engine.hint(Hint::Orphan(self.run));
        self.stop();
    }

    /// Ends the actor and the code that it holds. Nothing more is decided, not even in the handler that is under way:
    /// the run may be another node's already.
    pub(super) fn stop(&mut self) {
        self.abort_all();
        self.pending.clear();
        self.state = None;
        self.myself.stop(None);
    }

    /// Lets the claimers know that another run of the same key may be let in.
    pub(super) fn free_slot(&self) {
        if self.state.as_ref().is_some_and(|state| state.origin.limit.is_some()) {
            self.engine.queued();
        }
    }

    /// Tells whoever waits in this process how the run ended.
    pub(super) fn announce_end(&self) {
        let Some(state) = &self.state else { return };
        self.engine.watchers.finished(self.run, || Finish {
            status: state.status,
            output: state.output(),
            end: state.end.clone(),
        });
    }
}
