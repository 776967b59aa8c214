//! What clients ask of the processes, and what they hear.

use std::time::Duration;

use runlog::runtime::{Cancelled, Pushed};
use runlog::store::Store;
use runlog::{CancelOptions, Error, ReplayOptions, RunId, Runtime, SignalOptions, Status, TriggerEvent};

use crate::marks::sometimes;
use crate::nodes::{Cluster, RESTART_PAUSE};
use crate::oracle::Promise;
use crate::plan::{Ask, NewRun, Request};
use crate::workload::Job;

impl Cluster {
    /// Asks a process, and notes what it answers.
    pub async fn answer(&self, runtime: &Runtime, request: &Request) {
        let target = || {
            let runs = self.store.runs();
            (!runs.is_empty()).then(|| runs[(request.choice % runs.len() as u64) as usize])
        };
        match (&request.ask, target()) {
            (Ask::Start(new), _) => self.answer_start(runtime, new).await,
            (Ask::Signal { token }, Some(run)) => {
                if let Ok(()) = runtime.signal(run, "go", token).await {
                    self.oracle.promised(Promise::Signalled { run, token: *token });
                }
            }
            (Ask::SignalKey { token, key, again }, _) => {
                self.answer_signal_key(runtime, *token, *key, *again).await;
            }
            (Ask::Push { id, job, again }, _) => self.answer_push(runtime, *id, *job, *again).await,
            (Ask::Cancel { grace }, Some(run)) => self.answer_cancel(runtime, run, *grace).await,
            (Ask::Wait, Some(run)) => self.answer_wait(runtime, run).await,
            (Ask::Replay { from, again }, Some(run)) => {
                let run = self.unsuccessful(request.choice).await.unwrap_or(run);
                self.answer_replay(runtime, run, *from, again.then_some(request.choice)).await;
            }
            (Ask::Signal { .. } | Ask::Cancel { .. } | Ask::Replay { .. } | Ask::Wait, None) => {}
        }
    }

    async fn answer_start(&self, runtime: &Runtime, new: &NewRun) {
        let started = {
            let workflow = self.workload.workflow(new.workflow);
            let mut run = runtime.run(workflow, Job { seed: new.job, depth: 0 }).priority(new.priority);
            if let Some(key) = new.key {
                run = run.key(format!("key-{key}"));
            }
            run = new.delay.into_iter().fold(run, |run, delay| run.delay(delay));
            run = new.timeout.into_iter().fold(run, |run, timeout| run.timeout(timeout));
            run = new.start_timeout.into_iter().fold(run, |run, timeout| run.start_timeout(timeout));
            run.start_or_get().await
        };
        match started {
            Ok(started) => {
                if !started.created {
                    sometimes!("a key was taken");
                }
                let key = new.key.map(|key| (new.workflow % 4, key));
                self.oracle.promised(Promise::Started { run: started.run.id(), key });
                if new.waits
                    && let Ok(status) = started.run.wait().await
                {
                    self.oracle.promised(Promise::Ended { run: started.run.id(), status });
                }
            }
            Err(Error::NotRunning) => sometimes!("a start met a fenced node"),
            Err(Error::Store(error)) => {
                sometimes!("a start's fate was unknown");
                self.trace.note(format_args!("a start got no answer: {error}"));
            }
            Err(error) => self.oracle.violated(format!("a start was refused: {error}")),
        }
    }

    /// Sends a signal to a key, again after a lost answer if its sender has that patience.
    async fn answer_signal_key(&self, runtime: &Runtime, token: u64, key: u64, again: bool) {
        for tried in 0..=3 * u32::from(again) {
            let options = SignalOptions::default().id(format!("signal {token}"));
            match runtime.signal_key_with("go", &format!("key-{key}"), &token, options).await {
                Ok(sent) => {
                    if tried > 0 {
                        sometimes!("a sender asked again with its id");
                    }
                    return self.oracle.signalled(token, sent);
                }
                Err(Error::Store(_)) => tokio::time::sleep(RESTART_PAUSE).await,
                Err(error) => self.oracle.violated(format!("a signal to a key was refused: {error}")),
            }
        }
    }

    /// Pushes a trigger event, again after a lost answer if its sender has that patience.
    async fn answer_push(&self, runtime: &Runtime, id: u64, job: u64, again: bool) {
        let id = format!("event {id}");
        for tried in 0..=3 * u32::from(again) {
            let event = TriggerEvent::new(&id, "said", &Job { seed: job, depth: 0 });
            match runtime.push(event).await {
                Ok(Pushed { is_new, outcomes }) => {
                    match (is_new, tried) {
                        (true, _) => {}
                        (false, 0) => sometimes!("an event was pushed by two"),
                        (false, _) => sometimes!("an event was pushed again after a lost answer"),
                    }
                    return self.oracle.pushed(id, outcomes);
                }
                Err(Error::NotRunning | Error::Store(_)) => tokio::time::sleep(RESTART_PAUSE).await,
                Err(error) => self.oracle.violated(format!("{id} was refused: {error}")),
            }
        }
    }

    async fn answer_cancel(&self, runtime: &Runtime, run: RunId, grace: Duration) {
        let before = self.store.row(run).await.ok().flatten();
        let was_live = before.is_some_and(|row| !row.status.is_terminal());
        match runtime.cancel(run, CancelOptions::default().grace(grace)).await {
            Ok(Cancelled::Ended | Cancelled::Ending) => self.oracle.promised(Promise::Cancelled { run }),
            Err(Error::Finished { status, .. }) => {
                if was_live {
                    sometimes!("a cancel met the end");
                }
                self.oracle.promised(Promise::Ended { run, status });
            }
            Err(Error::Store(_)) => {}
            Err(error) => self.oracle.violated(format!("a cancel was refused: {error}")),
        }
    }

    /// Chooses among the runs that ended without success.
    async fn unsuccessful(&self, choice: u64) -> Option<RunId> {
        let mut ended = Vec::new();
        for run in self.store.runs() {
            let row = self.store.row(run).await.ok().flatten();
            let failed = |status: Status| status.is_terminal() && status != Status::Succeeded;
            ended.extend(row.filter(|row| failed(row.status)).map(|row| row.run));
        }
        (!ended.is_empty()).then(|| ended[(choice % ended.len() as u64) as usize])
    }

    /// Replays a run; with an id of its own, twice, as after a lost answer.
    async fn answer_replay(&self, runtime: &Runtime, run: RunId, from: u64, id: Option<u64>) {
        let options = ReplayOptions::default().force();
        let options = match from {
            0..=6 => options,
            7 => options.from_start(),
            _ => options.from_task("b"),
        };
        let id = id.map(|choice| RunId::from_tick(run.tick() + 1, choice));
        let options = id.into_iter().fold(options, |options, id| options.id(id));
        for _ in 0..=u32::from(id.is_some()) {
            match runtime.replay(run, options.clone()).await {
                Ok(replayed) => {
                    self.oracle.promised(Promise::Started { run: replayed.run.id(), key: None });
                    if replayed.plan.reused.len() + replayed.plan.resumed.len() > 0 {
                        sometimes!("a replay took something over");
                    }
                    if !replayed.created {
                        sometimes!("a replay was asked for again");
                    }
                }
                Err(Error::NotReplayable { .. }) => sometimes!("a replay was refused"),
                Err(Error::NotRunning | Error::Store(_)) => {}
                Err(error) => self.oracle.violated(format!("a replay was refused: {error}")),
            }
        }
    }

    async fn answer_wait(&self, runtime: &Runtime, run: RunId) {
        if let Ok(status) = runtime.handle(run).wait().await {
            self.oracle.promised(Promise::Ended { run, status });
        }
    }
}
