//! A crash before and after every commit of a scenario.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::cut::{Crash, Cut, Side};
use super::log;
use super::world::{Kit, KitBuilder};
use crate::actor::Body;
use crate::model::{Event, RunId, TaskEvent};
use crate::runtime::Error;
use crate::store::Store;

/// What a crash test found: every crash led to the same outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashReport<T> {
    /// What the scenario came to, each time.
    pub outcome: T,
    /// How many commits it takes without a crash.
    pub commits: u32,
    /// How many crashes were tried.
    pub crashes: u32,
}

/// A crash that made a difference.
#[derive(Debug)]
pub struct CrashFailure {
    /// Which one.
    pub crash: Option<Crash>,
    /// What differed.
    pub problem: String,
    /// The logs of the runs that the scenario started.
    pub logs: String,
}

impl fmt::Display for CrashFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.crash {
            Some(crash) => write!(f, "{crash}: {}", self.problem)?,
            None => write!(f, "without a crash: {}", self.problem)?,
        }
        write!(f, "\n{}", self.logs)
    }
}

impl std::error::Error for CrashFailure {}

impl KitBuilder {
    /// Plays a scenario once without a crash, then once with a crash before and once with a crash after each of its
    /// commits, each time in a new world. After every crash a new runtime takes over at once.
    ///
    /// The scenario starts its runs by [`Kit::run`] and must come to the same outcome each time; keep ids and instants
    /// out of it. What was recorded before the crash (steps, tasks, begun at-most-once steps) must not run again.
    ///
    /// # Errors
    /// [`CrashFailure`]: the first crash that led to another outcome, or ran recorded code again.
    pub async fn crash_everywhere<T: PartialEq + fmt::Debug>(
        self,
        scenario: impl AsyncFn(Kit) -> T,
    ) -> Result<CrashReport<T>, CrashFailure> {
        let (outcome, commits) = self.play(None, &scenario).await?;
        let mut crashes = 0;
        for commit in 1..=commits {
            for side in [Side::Before, Side::After] {
                let crash = Crash { side, commit };
                self.play_crashed(crash, &scenario, &outcome).await?;
                crashes += 1;
            }
        }
        Ok(CrashReport { outcome, commits, crashes })
    }

    async fn play<T>(
        &self,
        crash: Option<Crash>,
        scenario: &impl AsyncFn(Kit) -> T,
    ) -> Result<(T, u32), CrashFailure> {
        let cut = Arc::new(Cut::at(crash));
        let failed = |error: Error| CrashFailure { crash, problem: error.to_string(), logs: String::new() };
        let (kit, _witness) = self.clone().start_cut(Some(Arc::clone(&cut))).await.map_err(failed)?;
        let outcome = scenario(kit.clone()).await;
        kit.settle().await;
        kit.crash();
        Ok((outcome, cut.commits()))
    }

    async fn play_crashed<T: PartialEq + fmt::Debug>(
        &self,
        crash: Crash,
        scenario: &impl AsyncFn(Kit) -> T,
        expected: &T,
    ) -> Result<(), CrashFailure> {
        let cut = Arc::new(Cut::at(Some(crash)));
        let failed = |error: Error| CrashFailure {
            crash: Some(crash),
            problem: error.to_string(),
            logs: String::new(),
        };
        let (kit, _) = self.clone().start_cut(Some(Arc::clone(&cut))).await.map_err(failed)?;
        let rescue = async {
            cut.cut().await;
            let recorded = recorded(&kit).await?;
            kit.crash();
            Ok::<_, Error>((recorded, kit.serve(None).await?))
        };
        let played = async {
            let outcome = scenario(kit.clone()).await;
            kit.settle().await;
            outcome
        };
        tokio::pin!(played);
        let (outcome, rescued) = tokio::select! {
            biased;
            rescued = rescue => {
                let rescued = rescued.map_err(failed)?;
                (played.await, Some(rescued))
            }
            outcome = &mut played => (outcome, None),
        };
        let mut problem = (outcome != *expected)
            .then(|| format!("the outcome is {outcome:?}, without a crash it is {expected:?}"));
        match rescued {
            None => problem = problem.or_else(|| Some("the scenario ended before it".to_owned())),
            Some((recorded, witness)) => {
                let again: Vec<_> =
                    witness.bodies().into_iter().filter(|body| recorded.contains(body)).collect();
                if let Some((run, task, op)) = again.first() {
                    let op = op.as_ref().map(|op| format!(", {op}")).unwrap_or_default();
                    problem = problem.or_else(|| Some(format!("run again: run {run}, task {task}{op}")));
                }
            }
        }
        let logs = logs(&kit).await.map_err(failed)?;
        kit.crash();
        match problem {
            Some(problem) => Err(CrashFailure { crash: Some(crash), problem, logs }),
            None => Ok(()),
        }
    }
}

/// Lists what must not run again: recorded steps, begun at-most-once steps, tasks with an output, and what a replay took over.
async fn recorded(kit: &Kit) -> Result<BTreeSet<Body>, Error> {
    let mut recorded = BTreeSet::new();
    for run in all_runs(kit).await? {
        for event in kit.store().log(run, 0, u32::MAX).await? {
            let Event::Task(place, event) = event.event else { continue };
            let op = match event {
                TaskEvent::AttemptSucceeded(_) | TaskEvent::TaskReused(_) => None,
                TaskEvent::OpReused(event) => Some(event.op),
                TaskEvent::StepCompleted(event) => Some(event.op),
                TaskEvent::StepStarted(event) => Some(event.op),
                _ => continue,
            };
            recorded.insert((run, place.task, op));
        }
    }
    Ok(recorded)
}

/// Lists the scenario's runs and all their descendants.
pub(super) async fn all_runs(kit: &Kit) -> Result<Vec<RunId>, Error> {
    let mut runs = kit.runs();
    let mut at = 0;
    while let Some(run) = runs.get(at).copied() {
        runs.extend(kit.store().children(run, u32::MAX).await?.into_iter().map(|child| child.run));
        at += 1;
    }
    Ok(runs)
}

async fn logs(kit: &Kit) -> Result<String, Error> {
    let mut text = String::new();
    for run in all_runs(kit).await? {
        text += &format!("run {run}:\n{}", log::text(&kit.store().log(run, 0, u32::MAX).await?));
    }
    Ok(text)
}
