//! The workflows that nodes serve while faults go on, and what must come of each.
//!
//! Everything is derived from a run's input, its seed, so that whoever reads the database knows what each run must
//! come to. Bodies are short: a run makes progress between two kills.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::bail;
use futures_util::FutureExt;
use runlog::{Cx, CxError, Retry, Runtime, RuntimeBuilder, TaskErrors, Workflow};

use crate::oracle::{Fact, Oracle};

/// How long a body blocks its thread when it is ordered to: beyond the lease.
pub const BLOCK: Duration = Duration::from_millis(1_800);

/// The longest that a run of this workload takes when nothing is in its way.
pub const LONGEST: Duration = Duration::from_secs(4);

/// The workflows that clients start.
pub const STARTED: [&str; 8] =
    ["steps", "sleeper", "waiter", "family", "checkout", "booker", "endless", "once"];

/// How many times a body may fail on purpose or by a fault before a run fails for it: never reached.
const TRIES: u32 = 10_000;

/// What the bodies of a process share.
pub struct Stage {
    pub oracle: Oracle,
    pub chance: runlog::clock::Clock,
    /// The next body panics.
    pub panic: AtomicBool,
    /// The next body blocks its thread for [`BLOCK`].
    pub block: AtomicBool,
}

impl Stage {
    /// What every body begins with.
    async fn enter(&self, cx: &Cx) -> anyhow::Result<()> {
        let key = cx.idempotency_key();
        self.oracle.note(Fact::Body { key: key.clone(), attempt: cx.attempt() });
        if self.panic.swap(false, Ordering::Relaxed) {
            self.oracle.note(Fact::Mishap { key: key.clone(), what: "panic".to_owned() });
            // As any bug in user code would.
            std::panic::resume_unwind(Box::new("ordered to"));
        }
        if self.block.swap(false, Ordering::Relaxed) {
            self.oracle.note(Fact::Mishap { key, what: "block".to_owned() });
            std::thread::sleep(BLOCK);
        }
        tokio::time::sleep(Duration::from_millis(1).mul_f64(1.0 + 9.0 * self.chance.chance())).await;
        Ok(())
    }

    /// A body that sometimes fails.
    async fn work(&self, cx: &Cx, value: u64) -> anyhow::Result<u64> {
        self.enter(cx).await?;
        if self.chance.chance() < 0.03 {
            bail!("by chance");
        }
        Ok(value)
    }
}

/// One workflow's share of the output, so that a step that is lost, doubled or mixed up shows.
pub fn share(seed: u64, step: u64) -> u64 {
    (seed.wrapping_mul(0x9e37_79b9).wrapping_add(step).wrapping_mul(0x85eb_ca6b) >> 7) % 1_000_003
}

/// What a run must end as.
pub enum Expected {
    Output(u64),
    /// Any number that a client sent it as a signal.
    Signal,
    /// One of the two: its step may have been interrupted.
    Either(u64, u64),
    Failed,
}

/// What a run of that workflow, version and seed must end as, unless it is cancelled.
pub fn expected(workflow: &str, version: &str, seed: u64) -> Expected {
    let sum = |count: u64| (0..count).map(|step| share(seed, step)).sum::<u64>();
    match workflow {
        "steps" => Expected::Output(sum(steps(seed)) + if version == "2" { 1 } else { 0 }),
        "sleeper" => Expected::Output(sum(2)),
        "waiter" => Expected::Signal,
        "leaf" => Expected::Output(share(seed, 0)),
        "family" => Expected::Output(share(seed, 0) + share(seed + 1, 0) + share(seed + 2, 0)),
        "checkout" if is_refused(seed) => Expected::Failed,
        "checkout" => Expected::Output(sum(4)),
        "booker" => Expected::Output(sum(3)),
        "once" => Expected::Either(share(seed, 0), 0),
        _ => Expected::Output(seed),
    }
}

fn steps(seed: u64) -> u64 {
    2 + seed % 4
}

fn is_refused(seed: u64) -> bool {
    seed.is_multiple_of(5)
}

/// Adds the workflows to a runtime; `versions` are those of `steps` that this node serves.
pub fn serve(mut builder: RuntimeBuilder, stage: &Arc<Stage>, versions: &str) -> RuntimeBuilder {
    for version in versions.split(',') {
        builder = builder.workflow(steps_of(stage, version));
    }
    let leaf =
        function(
            stage,
            "leaf",
            |stage, cx, seed| async move { step(&stage, &cx, "s", share(seed, 0)).await },
        );
    let child = leaf.clone();
    builder
        .workflow(function(stage, "sleeper", sleeper))
        .workflow(function(stage, "waiter", waiter))
        .workflow(leaf)
        .workflow(function(stage, "family", move |stage, cx, seed| family(stage, cx, seed, child.clone())))
        .workflow(checkout(stage))
        .workflow(function(stage, "booker", booker))
        .workflow(function(stage, "endless", endless))
        .workflow(function(stage, "once", once))
}

/// Starts by name go to the version that was added last.
pub async fn start(
    runtime: &Runtime,
    workflow: &str,
    key: Option<&str>,
    seed: u64,
) -> Result<(runlog::RunHandle<serde_json::Value>, bool), runlog::Error> {
    let mut run = runtime.run_by_name(workflow, seed.to_string());
    if let Some(key) = key {
        run = run.key(key);
    }
    let started = run.start_or_get().await?;
    Ok((started.run, started.created))
}

fn function<F, Fut>(stage: &Arc<Stage>, name: &str, code: F) -> Workflow<u64, u64>
where
    F: Fn(Arc<Stage>, Cx, u64) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = anyhow::Result<u64>> + Send + 'static,
{
    let stage = Arc::clone(stage);
    Workflow::function(name, move |cx, seed| code(Arc::clone(&stage), cx, seed)).retry(retry())
}

fn retry() -> Retry {
    Retry::fixed(Duration::from_millis(30)).max_attempts(TRIES)
}

async fn step(stage: &Stage, cx: &Cx, name: &str, value: u64) -> anyhow::Result<u64> {
    Ok(cx.step(name, || stage.work(cx, value)).retry(retry()).await?)
}

fn steps_of(stage: &Arc<Stage>, version: &str) -> Workflow<u64, u64> {
    let more = u64::from(version == "2");
    let code = move |stage: Arc<Stage>, cx: Cx, seed| async move {
        let mut sum = more;
        for n in 0..steps(seed) {
            sum += step(&stage, &cx, "s", share(seed, n)).await?;
        }
        Ok(sum)
    };
    function(stage, "steps", code).version(version)
}

async fn sleeper(stage: Arc<Stage>, cx: Cx, seed: u64) -> anyhow::Result<u64> {
    let first = step(&stage, &cx, "before", share(seed, 0)).await?;
    cx.sleep(Duration::from_millis(100 + seed % 500)).await?;
    Ok(first + step(&stage, &cx, "after", share(seed, 1)).await?)
}

/// Waits for as long as it takes: a lost signal is a run that never ends.
async fn waiter(stage: Arc<Stage>, cx: Cx, seed: u64) -> anyhow::Result<u64> {
    step(&stage, &cx, "before", seed).await?;
    let number = cx.signal::<u64>("go").await?.unwrap_or_default();
    step(&stage, &cx, "after", seed).await?;
    Ok(number)
}

async fn family(stage: Arc<Stage>, cx: Cx, seed: u64, leaf: Workflow<u64, u64>) -> anyhow::Result<u64> {
    let own = step(&stage, &cx, "own", share(seed, 0)).await?;
    let (first, second) = (cx.child(&leaf, seed + 1), cx.child(&leaf, seed + 2));
    let (first, second) = cx.join(first, second).await;
    Ok(own + first? + second?)
}

/// Books three rows in the user's own table, each in the commit of its checkpoint.
async fn booker(stage: Arc<Stage>, cx: Cx, seed: u64) -> anyhow::Result<u64> {
    let mut sum = 0;
    for n in 0..3 {
        let (stage, within) = (Arc::clone(&stage), cx.clone());
        let book = cx.transaction("book", move |tx| {
            async move {
                stage.enter(&within).await?;
                sqlx::query("insert into chaos.ledger (run, op) values ($1, $2)")
                    .bind(within.run_id().uuid())
                    .bind(format!("book#{n}"))
                    .execute(&mut **tx)
                    .await?;
                anyhow::Ok(share(seed, n))
            }
            .boxed()
        });
        sum += book.await?;
    }
    Ok(sum)
}

/// Goes on for some two seconds unless it is cancelled.
async fn endless(stage: Arc<Stage>, cx: Cx, seed: u64) -> anyhow::Result<u64> {
    for _ in 0..20 {
        step(&stage, &cx, "tick", 0).await?;
        cx.sleep(Duration::from_millis(80)).await?;
    }
    Ok(seed)
}

/// Its step runs at most once, whatever happens to its process.
async fn once(stage: Arc<Stage>, cx: Cx, seed: u64) -> anyhow::Result<u64> {
    let body = || async {
        stage.enter(&cx).await?;
        anyhow::Ok(share(seed, 0))
    };
    match cx.step("once", body).at_most_once().await {
        Err(CxError::Interrupted { .. } | CxError::Panicked { .. }) => Ok(0),
        outcome => Ok(outcome?),
    }
}

/// Four tasks in the shape of a diamond; one seed in five is refused, and refunded.
fn checkout(stage: &Arc<Stage>) -> Workflow<u64, u64> {
    let on = |_: &str| Arc::clone(stage);
    let w = Workflow::dag("checkout");
    let (a, b, c, d, e) = (on("reserve"), on("charge"), on("score"), on("ship"), on("refund"));
    let part = |stage: Arc<Stage>, cx: Cx, value| async move { stage.work(&cx, value).await };
    let reserve = w.task("reserve", move |cx, seed| part(Arc::clone(&a), cx, share(seed, 0))).retry(retry());
    let charge = w
        .task_after("charge", &reserve, move |cx, seed, so_far: u64| {
            part(Arc::clone(&b), cx, so_far + share(seed, 1))
        })
        .retry(retry());
    let score = move |cx: Cx, seed: u64, _: u64| {
        let stage = Arc::clone(&c);
        async move {
            let value = stage.work(&cx, share(seed, 2)).await?;
            if is_refused(seed) {
                bail!("refused");
            }
            Ok(value)
        }
    };
    // The refusal is final; what fails by chance is tried again.
    let score = w.task_after("score", &reserve, score).retry(retry());
    let score = score.retry_if(|error: &anyhow::Error| error.to_string() != "refused");
    let ship = w
        .task_after("ship", (&charge, &score), move |cx, seed, (charged, scored): (u64, u64)| {
            part(Arc::clone(&d), cx, charged + scored + share(seed, 3))
        })
        .retry(retry());
    let refund = move |cx: Cx, _: u64, _: TaskErrors| {
        let stage = Arc::clone(&e);
        async move { stage.work(&cx, 0).await }
    };
    w.on_failure("refund", refund).retry(retry());
    w.output(&ship)
}
