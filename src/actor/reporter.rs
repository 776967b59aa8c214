//! Pushes what this process counts to an OpenTelemetry backend, every so often and when it stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;

use super::supervisor::Engine;
use crate::clock;
use crate::model::limits::{METRICS_PUSH_MAX, METRICS_PUSH_MIN};
use crate::telemetry::Hushed;
use crate::telemetry::otlp::{MetricsSender, Otlp, Pushed, Window};

/// Where figures are pushed to, and how often.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    sender: MetricsSender,
    every: Duration,
    /// Whether the last push failed: a backend that is away is told of once.
    is_failing: Arc<AtomicBool>,
}

/// The agent that pushes.
pub(crate) struct Reporter {
    pub(crate) engine: Arc<Engine>,
    pub(crate) push: Push,
}

impl Reporter {
    pub(crate) async fn run(self) {
        let mut next = Instant::now();
        loop {
            next = (next + self.push.every).max(Instant::now());
            tokio::time::sleep_until(next).await;
            self.push.once(&self.engine).await;
        }
    }
}

impl Push {
    /// Checks where and how often to push; `name` is that of the process for people.
    pub(crate) fn checked(name: &str, otlp: &Otlp, every: Duration) -> Result<Push, String> {
        if !(METRICS_PUSH_MIN..=METRICS_PUSH_MAX).contains(&every) {
            return Err(format!("{every:?} is out of range, {METRICS_PUSH_MIN:?} to {METRICS_PUSH_MAX:?}"));
        }
        // One process is one instance, also when it joins anew as another node: its sums go on.
        let instance = format!("{name}-{:016x}", clock::draw_token());
        let sender = MetricsSender::new(otlp, instance).map_err(|error| error.to_string())?;
        Ok(Push { sender, every, is_failing: Arc::default() })
    }

    async fn once(&self, engine: &Engine) {
        let moment = engine.moment(Some(engine.store.as_ref())).await;
        let families = engine.metrics.gather(&moment);
        let now = engine.clock.now();
        let window = Window { since: engine.metrics.begin(now), until: now };
        // What the host's OpenTelemetry heard of this, it would export, too.
        let pushed = Hushed::new(self.sender.send(&families, window)).await;
        let problem = match pushed {
            Ok(Pushed::Taken) => None,
            Ok(Pushed::Refused { reason }) => Some(reason),
            Err(unavailable) => Some(unavailable.to_string()),
        };
        let was_failing = self.is_failing.swap(problem.is_some(), Ordering::Relaxed);
        match problem {
            Some(problem) if !was_failing => tracing::warn!(problem, "metrics cannot be pushed"),
            None if was_failing => tracing::info!("metrics are pushed again"),
            _ => {}
        }
    }
}

impl Engine {
    /// Begins to push what is counted from now on, if this process is to push.
    pub(super) fn report(self: &Arc<Engine>) {
        if let Some(push) = self.settings.push.clone() {
            self.metrics.begin(self.clock.now());
            self.keep(Reporter { engine: Arc::clone(self), push }.run().boxed());
        }
    }

    /// Pushes what was counted to the end.
    pub(super) async fn report_last(&self, deadline: Instant) {
        if let Some(push) = &self.settings.push {
            let _late = tokio::time::timeout_at(deadline, push.once(self)).await;
        }
    }
}
