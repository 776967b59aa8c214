//! The workflows, and who drives them.

use std::sync::Arc;
use std::time::Duration;

use runlog::{Cx, Runtime, Workflow};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::meter::Meter;

/// A workflow of the bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A function of one step.
    One,
    /// A function of five steps.
    Five,
    /// A function of twenty steps.
    Twenty,
    /// A task, four that take its output, and one that takes theirs.
    Diamond,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::One, Kind::Five, Kind::Twenty, Kind::Diamond];

    /// Steps of a run, or tasks where a task is the step.
    pub fn steps(self) -> usize {
        match self {
            Kind::One => 1,
            Kind::Five => 5,
            Kind::Twenty => 20,
            Kind::Diamond => 6,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::One => "one-step",
            Kind::Five => "function",
            Kind::Twenty => "twenty-step",
            Kind::Diamond => "diamond",
        }
    }

    pub fn workflow(self) -> Workflow<u64, u64> {
        match self {
            Kind::One | Kind::Five | Kind::Twenty => {
                let steps = self.steps();
                Workflow::function(self.name(), move |cx, input| function(cx, input, steps))
            }
            Kind::Diamond => diamond(),
        }
    }
}

async fn function(cx: Cx, input: u64, steps: usize) -> anyhow::Result<u64> {
    let mut sum = input;
    for _ in 0..steps {
        sum = cx.step("add", || async { anyhow::Ok(sum + 1) }).await?;
    }
    Ok(sum)
}

fn diamond() -> Workflow<u64, u64> {
    let dag = Workflow::dag(Kind::Diamond.name());
    let first = dag.task("first", |_cx: Cx, input: u64| async move { anyhow::Ok(input + 1) });
    let side = |name: &str| {
        dag.task_after(name, &first, |_cx: Cx, _input: u64, first: u64| async move { anyhow::Ok(first + 1) })
    };
    let (north, east, south, west) = (side("north"), side("east"), side("south"), side("west"));
    let sides = (&north, &east, &south, &west);
    let last = dag.task_after(
        "last",
        sides,
        |_cx: Cx, _input: u64, (n, e, s, w): (u64, u64, u64, u64)| async move { anyhow::Ok(n + e + s + w) },
    );
    dag.output(&last)
}

/// Keeps `in_flight` runs going, each begun `pause` after the one before it finished, until the meter stops.
pub fn keep_in_flight(
    runtime: &Runtime,
    kind: Kind,
    in_flight: usize,
    pause: Duration,
    meter: &Arc<Meter>,
) -> JoinSet<anyhow::Result<()>> {
    let mut callers = JoinSet::new();
    let workflow = kind.workflow();
    for caller in 0..in_flight {
        let (runtime, workflow, meter) = (runtime.clone(), workflow.clone(), Arc::clone(meter));
        callers.spawn(async move {
            while !meter.is_stopped() {
                let begun = Instant::now();
                let run = runtime.run(&workflow, caller as u64).start().await?;
                run.output().await?;
                meter.finished(begun);
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
            Ok(())
        });
    }
    callers
}
