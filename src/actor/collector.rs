//! Brings signals by key to runs: those that were kept for runs which begin to wait, and those whose senders died.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use ractor::ActorRef;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::node::Node;
use super::run::RunMsg;
use super::supervisor::Engine;
use crate::model::RunId;
use crate::model::limits::UNTOLD_SIGNALS_POLL;
use crate::store::{self, Ask, SignalId, SignalState, StoreError};

/// The agent that asks for kept signals once a wait for them is committed, and now and then looks for signals that were
/// accepted and not told: one cheap look, as a rule.
pub(crate) struct Collector {
    pub(crate) engine: Arc<Engine>,
    pub(crate) node: Arc<Node>,
    pub(crate) asks: mpsc::UnboundedReceiver<Question>,
}

/// What a run asks for, and the actor that is told when that was done: another one of the same run asks by itself.
pub(crate) type Question = (Ask, ActorRef<RunMsg>);

/// The pause after an unanswered question.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(250);

/// Signals that one look finds at most; there are more only after a long outage.
const UNTOLD_MAX: u32 = 64;

/// Questions that are asked at once: one may have to wait for a lock, and holds up no others.
const ASKED_AT_ONCE: usize = 4;

impl Collector {
    pub(crate) async fn run(mut self) {
        let mut sweep_at = self.next_sweep(false);
        let mut answers = FuturesUnordered::new();
        while !self.node.is_fenced() {
            tokio::select! {
                biased;
                () = self.node.fenced() => return,
                () = tokio::time::sleep_until(sweep_at) => {
                    let found = self.sweep().await;
                    sweep_at = self.next_sweep(found);
                }
                Some(()) = answers.next() => {}
                asked = self.asks.recv(), if answers.len() < ASKED_AT_ONCE => match asked {
                    Some(question) => {
                        answers.push(answer(Arc::clone(&self.engine), Arc::clone(&self.node), question));
                    }
                    None => return,
                },
            }
        }
    }

    /// Soon after something was found, which may not be all; else seldom. A quarter of jitter, so that many nodes do not ask at
    /// once.
    fn next_sweep(&self, found: bool) -> Instant {
        let poll = self.engine.settings.poll_interval;
        let pause = if found { poll } else { UNTOLD_SIGNALS_POLL.max(poll) };
        Instant::now() + pause.mul_f64(1.0 + self.engine.clock.chance() / 4.0)
    }

    /// Tells what nobody told; says whether there was anything, or may be.
    async fn sweep(&self) -> bool {
        let told = async {
            let untold = self.engine.store.untold_signals(UNTOLD_MAX).await?;
            for signal in &untold {
                self.tell(*signal).await?;
            }
            Ok::<_, StoreError>(!untold.is_empty())
        };
        told.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "untold signals cannot be looked for");
            true
        })
    }

    /// Tells a signal to whoever is not busy: the others come next time.
    async fn tell(&self, signal: SignalId) -> Result<(), StoreError> {
        loop {
            let told = self.engine.store.tell_signal(signal).await?;
            mailed(&self.engine, &told.runs);
            if told.runs.is_empty() || told.state != SignalState::New {
                return Ok(());
            }
        }
    }
}

/// Asks for one run until there is an answer, and lets its actor know.
async fn answer(engine: Arc<Engine>, node: Arc<Node>, (ask, actor): Question) {
    while !node.is_fenced() {
        match store::ask(&*engine.store, &ask).await {
            Ok(brought) => {
                mailed(&engine, &brought);
                break;
            }
            Err(error @ StoreError::Unavailable { .. }) => {
                tracing::warn!(%error, run = %ask.run, "kept signals cannot be asked for");
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
            // Whoever takes the run up next asks again.
            Err(error) => {
                tracing::error!(%error, run = %ask.run, "kept signals cannot be asked for");
                break;
            }
        }
    }
    let _gone = actor.cast(RunMsg::Asked);
}

fn mailed(engine: &Engine, runs: &[RunId]) {
    runs.iter().for_each(|run| engine.mailed(*run));
}
