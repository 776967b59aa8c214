//! Takes due runs out of the dispatch index and brings them to life.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::node::Node;
use super::run::{Begin, Beginning};
use super::supervisor::Engine;
use crate::model::evolve::{evolve, fold};
use crate::model::limits::CLAIM_ROWS_MAX;
use crate::model::{Recorded, RunId, RunState, Timestamp};
use crate::store::{Claimed, Loaded, News, RunRow, StoreError, Wanted};

/// Why the claimer should look before its next poll.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hint {
    /// Something may be due.
    Due,
    /// A message was sent to this run, which nobody here owns.
    Mailed(RunId),
    /// This node owns the run and has no actor for it: its actor died.
    Orphan(RunId),
    /// Something of unknown time may become due soon: look a few times in quick succession.
    Soon,
}

/// The agent that asks the dispatch index. Polling is the truth, hints only make it prompt.
pub(crate) struct Claimer {
    pub(crate) engine: Arc<Engine>,
    pub(crate) node: Arc<Node>,
    pub(crate) hints: mpsc::UnboundedReceiver<Hint>,
}

/// The pauses after [`Hint::Soon`]: together about two seconds.
const SOON: [Duration; 8] = [
    Duration::from_millis(2),
    Duration::from_millis(8),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(120),
    Duration::from_millis(300),
    Duration::from_millis(600),
    Duration::from_millis(900),
];

/// The pause after an unanswered claim.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(250);

impl Claimer {
    pub(crate) async fn run(mut self) {
        let (mut named, mut orphans) = (BTreeSet::new(), BTreeSet::new());
        // Whether a claim may have given this node runs that it does not know of.
        let mut unsure = false;
        let mut soon = SOON.iter();
        let mut hints = Vec::new();
        while !self.node.is_fenced() {
            if unsure {
                match self.engine.store.held(self.node.id).await {
                    Ok(held) => {
                        orphans.extend(held);
                        unsure = false;
                    }
                    Err(error) => tracing::warn!(%error, "the runs of this node cannot be listed"),
                }
            }
            let pause = match self.claim(&mut named, &mut orphans).await {
                Ok(pause) => pause,
                Err(StoreError::Fenced) => return self.node.mark_fenced(),
                Err(error) => {
                    unsure = true;
                    tracing::warn!(%error, "runs cannot be claimed");
                    PAUSE_AFTER_ERROR
                }
            };
            let pause = soon.next().map_or(pause, |soon| pause.min(*soon));
            // In this order, so that the same seed simulates the same life; none of them can starve another.
            tokio::select! {
                biased;
                () = self.node.fenced() => return,
                () = tokio::time::sleep(pause) => {}
                count = self.hints.recv_many(&mut hints, CLAIM_ROWS_MAX) => {
                    if count == 0 {
                        return;
                    }
                }
            }
            for hint in hints.drain(..) {
                match hint {
                    Hint::Due => {}
                    Hint::Mailed(run) => drop(named.insert(run)),
                    Hint::Orphan(run) => drop(orphans.insert(run)),
                    Hint::Soon => soon = SOON.iter(),
                }
            }
        }
    }

    /// Claims what there is room for; returns how long nothing more is expected.
    async fn claim(
        &self,
        named: &mut BTreeSet<RunId>,
        orphans: &mut BTreeSet<RunId>,
    ) -> Result<Duration, StoreError> {
        let owned: Vec<RunId> = orphans.iter().copied().filter(|run| !self.engine.live.holds(*run)).collect();
        let held_back =
            if owned.is_empty() { Vec::new() } else { self.engine.store.held_back(&owned).await? };
        let waiting = self.revive(&owned, &held_back).await?;
        // The others had an actor when this began; one that is gone by now is looked for the next time.
        orphans.retain(|run| !owned.contains(run));
        orphans.extend(waiting);
        loop {
            let limit = self.engine.admission.free().min(CLAIM_ROWS_MAX);
            if limit == 0 {
                return Ok(PAUSE_AFTER_ERROR);
            }
            let runs = named.iter().copied().take(CLAIM_ROWS_MAX).collect();
            let wanted = Wanted {
                served: self.engine.served(|name| self.engine.admission.free_for(name)),
                runs,
                limit,
                limited: self.engine.registry.is_limited(),
            };
            let claimed = self.engine.store.claim(self.node.id, &wanted).await?;
            let Claimed { runs, held_back, mailed, next_due, paused } = claimed;
            self.engine.paused.set(paused);
            for run in &wanted.runs {
                named.remove(run);
                // It lives elsewhere, or has ended.
                if !runs.contains(run) && self.engine.live.get(*run).is_none() {
                    self.engine.announce(News::Mail(*run));
                }
            }
            for run in mailed {
                self.engine.post(run);
            }
            // Those are seen to here.
            orphans.retain(|run| !runs.contains(run));
            orphans.extend(self.revive(&runs, &held_back).await?);
            if runs.len() < limit {
                return Ok(self.pause(next_due));
            }
        }
    }

    fn pause(&self, next_due: Option<Timestamp>) -> Duration {
        // A quarter of jitter, so that many nodes do not ask at once.
        let poll = self.engine.settings.poll_interval.mul_f64(1.0 - 0.25 * self.engine.clock.chance());
        next_due.map_or(poll, |at| self.engine.clock.until(at).clamp(Duration::from_millis(1), poll))
    }

    /// Loads runs that are this node's, in a question of its own, and spawns their actors. Returns those for which there
    /// was no room, or whose actor is still there.
    async fn revive(&self, runs: &[RunId], held_back: &[RunId]) -> Result<Vec<RunId>, StoreError> {
        let mut waiting = Vec::new();
        if runs.is_empty() {
            return Ok(waiting);
        }
        for loaded in self.engine.store.load(runs).await? {
            let run = loaded.row.run;
            let elsewhere = loaded.row.owner != Some(self.node.id) || loaded.row.status.is_terminal();
            if elsewhere {
                continue;
            }
            // A child's actor may have been spawned meanwhile. Or the run was released and claimed again before its
            // actor heard of the release: that one is about to stop, and the run needs another.
            if self.engine.live.holds(run) {
                waiting.push(run);
                continue;
            }
            let mail_seen = loaded.row.mail_seen;
            let Loaded { row: RunRow { claims, claimed_at: assigned_at, deaths, .. }, .. } = loaded;
            let workflow = loaded.row.workflow.clone();
            let inbox = loaded.inbox.clone();
            match folded(loaded) {
                Ok(state) => {
                    let Some(slot) = self.engine.admission.try_enter(&workflow) else {
                        waiting.push(run);
                        continue;
                    };
                    let begin = Begin::Recover {
                        state: Box::new(state),
                        inbox,
                        mail_seen,
                        claims,
                        deaths,
                        assigned_at,
                        may_start: !held_back.contains(&run),
                        // From now on: it may act, and leave again, before somebody asks for its log a second time.
                        expected: self.engine.live.expect(run),
                    };
                    self.engine.spawn(&self.node, Beginning { run, begin, slot, definition: None });
                }
                Err(reason) => {
                    tracing::error!(%run, %reason, "the run is quarantined: its log cannot be folded");
                }
            }
        }
        Ok(waiting)
    }
}

/// Folds a run's log, from its snapshot if that fits.
fn folded(loaded: Loaded) -> Result<RunState, String> {
    let log: Vec<Recorded> = loaded.log?;
    let state = match loaded.snapshot {
        Some(snapshot) => log.iter().try_fold(snapshot, evolve).map_err(|illegal| illegal.to_string())?,
        None => fold(loaded.row.run, &log)
            .map_err(|illegal| illegal.to_string())?
            .ok_or_else(|| "the log is empty".to_owned())?,
    };
    match state.status == loaded.row.status {
        true => Ok(state),
        false => Err(format!("its log says {}, its row {}", state.status, loaded.row.status)),
    }
}
