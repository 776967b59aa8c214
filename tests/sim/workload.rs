//! The workflows that are simulated: what they do follows from their input alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use runlog::model::limit::Policy;
use runlog::{
    Concurrency, Cx, CxError, Retry, RunId, RuntimeBuilder, Subscription, TaskErrors, When, Workflow,
};
use serde::{Deserialize, Serialize};

use crate::plan::{KEYS, LONGEST_STEP_MS, Limit, Rng};

const MILLIS_900: Duration = Duration::from_millis(900);

/// What a run is given.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Job {
    pub seed: u64,
    pub depth: u32,
}

/// The world outside, which steps act on: it remembers how often each was tried.
#[derive(Default)]
pub struct Outside {
    tries: Mutex<BTreeMap<(RunId, String), u32>>,
}

impl Outside {
    fn hit(&self, run: RunId, what: &str) -> u32 {
        let mut tries = self.tries.lock().unwrap();
        let tried = tries.entry((run, what.to_owned())).or_default();
        *tried += 1;
        *tried
    }
}

/// The workflows that every process serves.
#[derive(Clone)]
pub struct Workload {
    workflows: Vec<Workflow<Job, u64>>,
}

impl Workload {
    pub fn new(outside: &Arc<Outside>, limit: Option<Limit>) -> Workload {
        let leaf = function("leaf", None, outside).timeout(Duration::from_secs(3_600));
        let leaf = limit.into_iter().fold(leaf, |leaf, limit| leaf.concurrency(concurrency(limit)));
        let middle = function("middle", Some(leaf.clone()), outside);
        let root = function("root", Some(middle.clone()), outside);
        Workload { workflows: vec![root, dag(&middle, outside), leaf, middle] }
    }

    pub fn workflow(&self, at: usize) -> &Workflow<Job, u64> {
        &self.workflows[at % self.workflows.len()]
    }

    pub fn serve(&self, builder: RuntimeBuilder) -> RuntimeBuilder {
        let odd = Subscription::by_name("odd", "said", "middle").filter("payload.seed % 2 == 1");
        let builder = builder.subscription(Subscription::by_name("all", "said", "leaf")).subscription(odd);
        self.workflows.iter().fold(builder, |builder, workflow| builder.workflow(workflow.clone()))
    }
}

fn concurrency(Limit { slots, keys, policy, rate, debounce }: Limit) -> Concurrency<Job> {
    let limit = Concurrency::limit("lane", slots).by(move |job: Job| format!("lane {}", job.seed % keys));
    let limit = rate
        .into_iter()
        .fold(limit, |limit, (starts, window_ms)| limit.starts(starts, Duration::from_millis(window_ms)));
    let limit = debounce.into_iter().fold(limit, |limit, (quiet_ms, max_wait_ms)| {
        let limit = limit.debounced(Duration::from_millis(quiet_ms));
        max_wait_ms
            .into_iter()
            .fold(limit, |limit, max_wait_ms| limit.max_wait(Duration::from_millis(max_wait_ms)))
    });
    match policy {
        Policy::Queue => limit,
        Policy::RoundRobin => limit.round_robin(),
        Policy::CancelOldest => limit.cancel_oldest(),
        Policy::CancelNewest => limit.cancel_newest(),
    }
}

fn function(name: &str, child: Option<Workflow<Job, u64>>, outside: &Arc<Outside>) -> Workflow<Job, u64> {
    let outside = Arc::clone(outside);
    let code = move |cx: Cx, job: Job| play(cx, job, child.clone(), Arc::clone(&outside));
    Workflow::function(name, code).retry(Retry::fixed(Duration::from_millis(300)).max_attempts(2))
}

/// Tasks in a diamond, a branch with conditions, and a task for failures.
fn dag(child: &Workflow<Job, u64>, outside: &Arc<Outside>) -> Workflow<Job, u64> {
    let part = |n: u64, child: Option<&Workflow<Job, u64>>| {
        let (outside, child) = (Arc::clone(outside), child.cloned());
        move |cx: Cx, job: Job, before: u64| {
            let job = Job { seed: Rng::new(job.seed ^ (n << 56)).draw(), ..job };
            let played = play(cx, job, child.clone(), Arc::clone(&outside));
            async move { anyhow::Ok(played.await?.wrapping_add(before)) }
        }
    };
    let w = Workflow::dag("dag");
    let (a, b, c, d) = (part(1, None), part(2, Some(child)), part(3, None), part(4, None));
    let (e, f) = (part(5, None), part(6, None));
    let a = w.task("a", move |cx, job| a(cx, job, 0));
    let b = w.task("b", move |cx, job| b(cx, job, 0)).retry(Retry::fixed(Duration::from_millis(700)));
    let c = w
        .task_after("c", &a, move |cx, job, a: u64| c(cx, job, a))
        .retry(Retry::exponential(Duration::from_millis(200)).max_attempts(3))
        .timeout(Duration::from_secs(5));
    // Skipped with what comes after it, or not, by what came before; begins on a signal or in time.
    let e = w
        .task_after("e", &a, move |cx, job, a: u64| e(cx, job, a))
        .skip_if(When::output(&a, |a| a % 3 == 0))
        .wait_for(When::signal_that("go", |token: &u64| token % 2 == 0).or(When::elapsed(MILLIS_900)));
    let f = w
        .task_after("f", &e, move |cx, job, e: u64| f(cx, job, e))
        .cancel_if(When::output(&e, |e| e % 41 == 0));
    let d = w.task_after("d", (&b, &c, f.optional()), move |cx, job, (b, c, f): (u64, u64, Option<u64>)| {
        d(cx, job, b.wrapping_add(c).wrapping_add(f.unwrap_or_default()))
    });
    w.on_failure("sorry", |cx, job: Job, errors: TaskErrors| async move {
        let failed = errors.iter().count() as u64;
        let told = cx.step("tell", || async move { anyhow::Ok(failed) }).await?;
        anyhow::Ok(told + job.seed % 2)
    });
    w.output(&d)
}

/// Plays the operations that the job's seed decides.
async fn play(
    cx: Cx,
    job: Job,
    child: Option<Workflow<Job, u64>>,
    outside: Arc<Outside>,
) -> anyhow::Result<u64> {
    let mut rng = Rng::new(job.seed);
    let long = rng.permille(6);
    let count = if long { 300 } else { rng.between(1, 6) };
    let mut sum = 0_u64;
    for _ in 0..count {
        let rng = rng.fork();
        let done =
            if long { quick(&cx, rng).await? } else { operate(&cx, job, rng, &child, &outside).await? };
        sum = sum.wrapping_add(done);
    }
    if rng.percent(12) && cx.attempt() <= rng.between(1, 2) as u32 {
        anyhow::bail!("asked for in attempt {}", cx.attempt());
    }
    Ok(sum)
}

async fn quick(cx: &Cx, mut rng: Rng) -> Result<u64, CxError> {
    let value = rng.below(100);
    cx.step("quick", || async move { anyhow::Ok(value) }).await
}

async fn operate(
    cx: &Cx,
    job: Job,
    mut rng: Rng,
    child: &Option<Workflow<Job, u64>>,
    outside: &Arc<Outside>,
) -> Result<u64, CxError> {
    let tolerant = rng.percent(70);
    let done = match rng.below(20) {
        0..=3 => quick(cx, rng).await,
        4..=5 => slow(cx, rng).await,
        6..=7 => flaky(cx, rng, outside).await,
        8 => once(cx, rng).await,
        9..=11 => cx.sleep(nap(&mut rng)).await.map(|()| 1),
        12..=13 => {
            let wait = cx.signal::<u64>("go");
            let got = match rng.below(6) {
                0..=2 => wait.timeout(rng.millis(50, 9_000)),
                3..=4 => wait.key(key(&mut rng)).timeout(rng.millis(50, 9_000)),
                // Longer than any fault hinders.
                _ => wait.key(key(&mut rng)).timeout(rng.millis(45_000, 90_000)),
            };
            got.await.map(|token| token.unwrap_or(7))
        }
        14..=16 => children(cx, job, rng, child).await,
        17 => race(cx, rng).await,
        18 => {
            let (left, right) = (slow(cx, rng.fork()), flaky(cx, rng.fork(), outside));
            let (left, right) = cx.join(left, right).await;
            left.and_then(|left| Ok(left.wrapping_add(right?)))
        }
        _ => {
            let seen = cx.now().timestamp_micros() as u64 ^ cx.random();
            cx.step("seen", || async move { anyhow::Ok(seen) })
                .await
                .map(|kept| kept & u64::from(kept != seen))
        }
    };
    match done {
        Err(CxError::Cancelled { reason, by }) => Err(CxError::Cancelled { reason, by }),
        Err(_) if tolerant => Ok(3),
        done => done,
    }
}

fn key(rng: &mut Rng) -> String {
    format!("key-{}", rng.below(KEYS))
}

/// From a millisecond to days; mostly short.
fn nap(rng: &mut Rng) -> Duration {
    match rng.below(200) {
        0..=79 => rng.millis(1, 100),
        80..=149 => rng.millis(100, 3_000),
        150..=194 => rng.millis(3_000, 9_000),
        195..=198 => rng.millis(60_000, 7_200_000),
        _ => Duration::from_secs(rng.between(1, 5) * 24 * 3_600),
    }
}

async fn slow(cx: &Cx, mut rng: Rng) -> Result<u64, CxError> {
    let (lasts, value) = (rng.millis(1, LONGEST_STEP_MS), rng.below(100));
    let body = move || async move {
        tokio::time::sleep(lasts).await;
        anyhow::Ok(value)
    };
    cx.step("slow", body).await
}

async fn flaky(cx: &Cx, mut rng: Rng, outside: &Arc<Outside>) -> Result<u64, CxError> {
    let (fails, lasts) = (rng.between(0, 4) as u32, rng.millis(0, 300));
    let delay = rng.millis(10, 3_000);
    let retry = if rng.percent(50) { Retry::fixed(delay) } else { Retry::exponential(delay / 4) };
    let id = rng.draw();
    let (run, outside) = (cx.run_id(), Arc::clone(outside));
    let body = move || {
        let outside = Arc::clone(&outside);
        async move {
            tokio::time::sleep(lasts).await;
            let tried = outside.hit(run, &format!("flaky {id}"));
            if tried <= fails { Err(anyhow::anyhow!("asked for in try {tried}")) } else { Ok(id % 100) }
        }
    };
    cx.step("flaky", body).retry(retry.max_attempts(4).cap(Duration::from_secs(5))).await
}

async fn once(cx: &Cx, mut rng: Rng) -> Result<u64, CxError> {
    let (lasts, fails) = (rng.millis(0, 1_000), rng.percent(20));
    let body = move || async move {
        tokio::time::sleep(lasts).await;
        if fails { Err(anyhow::anyhow!("asked for")) } else { Ok(5) }
    };
    cx.step("once", body).at_most_once().await
}

async fn children(
    cx: &Cx,
    job: Job,
    mut rng: Rng,
    child: &Option<Workflow<Job, u64>>,
) -> Result<u64, CxError> {
    let Some(child) = child else { return quick(cx, rng).await };
    let count = if rng.percent(70) { 1 } else { 2 };
    let started: Vec<_> =
        (0..count).map(|_| cx.child(child, Job { seed: rng.draw(), depth: job.depth + 1 })).collect();
    let mut sum = 0_u64;
    for ended in cx.join_all(started).await {
        sum = sum.wrapping_add(ended?);
    }
    Ok(sum)
}

async fn race(cx: &Cx, mut rng: Rng) -> Result<u64, CxError> {
    let nap = cx.sleep(rng.millis(1, 4_000));
    match rng.below(3) {
        0 => {
            let won = cx.race(cx.sleep(rng.millis(1, 4_000)), nap).await;
            Ok(u64::from(matches!(won, runlog::Either::First(_))))
        }
        1 => {
            let wait = cx.signal::<u64>("go");
            let wait = if rng.percent(50) { wait.key(key(&mut rng)) } else { wait };
            let won = cx.race(wait, nap).await;
            Ok(u64::from(matches!(won, runlog::Either::First(_))))
        }
        _ => {
            let value = rng.below(100);
            let lasts = rng.millis(1, 2_000);
            let step = cx.step("racer", move || async move {
                tokio::time::sleep(lasts).await;
                anyhow::Ok(value)
            });
            let won = cx.race(step, nap).await;
            Ok(u64::from(matches!(won, runlog::Either::First(_))))
        }
    }
}
