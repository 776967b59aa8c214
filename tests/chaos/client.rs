//! The client in every node: starts runs, signals and cancels them, waits for their ends, and writes down what it is
//! told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use runlog::{CancelOptions, Error, RunHandle, RunId, Runtime};
use tokio::sync::Semaphore;

use crate::oracle::Fact;
use crate::workload::{STARTED, Stage, start};

/// Conversations at once: while the database is away no more than these wait for it.
const TALKS_MAX: usize = 24;

/// Runs of one bulk start.
const BULK: u64 = 12;

/// Keys are drawn from a window so small that every node asks for most of them.
const KEYS_PER_S: f64 = 8.0;

/// How long a client waits for a run's end.
const PATIENCE: Duration = Duration::from_secs(8);

pub struct Client {
    runtime: Runtime,
    stage: Arc<Stage>,
    pause: Duration,
    talks: Arc<Semaphore>,
    quiet: AtomicBool,
    asks: AtomicU64,
}

impl Client {
    pub fn new(runtime: Runtime, stage: Arc<Stage>, pause_ms: u64) -> Arc<Client> {
        Arc::new(Client {
            runtime,
            stage,
            pause: Duration::from_millis(pause_ms),
            talks: Arc::new(Semaphore::new(TALKS_MAX)),
            quiet: AtomicBool::new(false),
            asks: AtomicU64::new(0),
        })
    }

    /// Starts nothing more.
    pub fn quiet(&self) {
        self.quiet.store(true, Ordering::Relaxed);
    }

    fn chance(&self) -> f64 {
        self.stage.chance.chance()
    }

    fn draw(&self) -> u64 {
        (self.chance() * 1e9) as u64
    }

    fn next(&self) -> u64 {
        self.asks.fetch_add(1, Ordering::Relaxed)
    }

    /// Starts runs at random until told to be quiet.
    pub async fn start_runs(self: Arc<Client>) {
        while !self.quiet.load(Ordering::Relaxed) {
            if let Ok(talk) = Arc::clone(&self.talks).try_acquire_owned() {
                let client = Arc::clone(&self);
                tokio::spawn(async move {
                    if client.chance() < 0.04 {
                        client.start_many().await;
                    } else {
                        client.start_one().await;
                    }
                    drop(talk);
                });
            }
            tokio::time::sleep(self.pause.mul_f64(0.5 + self.chance())).await;
        }
    }

    async fn start_one(&self) {
        let keyed = self.chance() < 0.5;
        // The same key means the same workflow and seed, whoever draws it.
        let window = (self.stage.oracle.now_s() * KEYS_PER_S) as u64;
        let seed = if keyed { window } else { self.draw() };
        let key = keyed.then(|| format!("key-{seed}"));
        let place = usize::try_from(seed % STARTED.len() as u64).unwrap_or_default();
        let workflow = STARTED.get(place).copied().unwrap_or_default();
        let ask = self.next();
        let asked = Fact::StartAsked { ask, workflow: workflow.to_owned(), key: key.clone(), seed };
        self.stage.oracle.note(asked);
        let Ok((run, created)) = start(&self.runtime, workflow, key.as_deref(), seed).await else { return };
        self.stage.oracle.note(Fact::StartTold { ask, run: run.id(), created });
        match workflow {
            "waiter" => self.signal_soon(run.id()).await,
            "endless" if self.chance() < 0.6 => self.cancel_soon(run.id()).await,
            _ if self.chance() < 0.3 => self.wait(run).await,
            _ => {}
        }
    }

    async fn start_many(&self) {
        let first = self.draw();
        let (mut asks, mut runs) = (Vec::new(), Vec::new());
        for seed in first..first + BULK {
            let ask = self.next();
            let asked = Fact::StartAsked { ask, workflow: "steps".to_owned(), key: None, seed };
            self.stage.oracle.note(asked);
            asks.push(ask);
            runs.push(self.runtime.run_by_name("steps", seed.to_string()));
        }
        let Ok(started) = self.runtime.start_many(runs).await else { return };
        for (ask, started) in asks.into_iter().zip(started) {
            let told = Fact::StartTold { ask, run: started.run.id(), created: started.created };
            self.stage.oracle.note(told);
        }
    }

    async fn signal_soon(&self, run: RunId) {
        tokio::time::sleep(Duration::from_millis(400).mul_f64(self.chance())).await;
        self.signal_until_told(run).await;
    }

    /// Signals a run on behalf of a client that died.
    pub async fn signal(self: Arc<Client>, run: RunId) {
        self.signal_until_told(run).await;
    }

    async fn signal_until_told(&self, run: RunId) {
        loop {
            let number = self.draw() + 1;
            self.stage.oracle.note(Fact::SignalAsked { run, number });
            match self.runtime.signal(run, "go", &number).await {
                Ok(()) => return self.stage.oracle.note(Fact::SignalTold { run, number }),
                Err(Error::Finished { .. } | Error::NotFound { .. }) => return,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    async fn cancel_soon(&self, run: RunId) {
        tokio::time::sleep(Duration::from_millis(900).mul_f64(self.chance())).await;
        self.stage.oracle.note(Fact::CancelAsked { run });
        let options = CancelOptions::default().reason("chaos").grace(Duration::from_millis(200));
        if self.runtime.cancel(run, options).await.is_ok() {
            self.stage.oracle.note(Fact::CancelTold { run });
        }
    }

    async fn wait(&self, run: RunHandle<serde_json::Value>) {
        let Ok(end) = tokio::time::timeout(PATIENCE, run.output()).await else { return };
        let (output, error) = match end {
            Ok(output) => (output.as_u64(), None),
            Err(runlog::RunError::Unreadable(_)) => return,
            Err(error) => (None, Some(error.to_string())),
        };
        self.stage.oracle.note(Fact::EndTold { run: run.id(), output, error });
    }
}
