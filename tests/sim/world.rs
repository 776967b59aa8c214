//! One world from its beginning to its rest.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use runlog::Error;
use runlog::model::event::Trigger;
use runlog::model::{Event, RunEvent, Timestamp};
use runlog::store::memory::{MemoryStore, Mutant, Seen};
use runlog::store::{RunRow, Store};
use tokio::time::Instant;

use crate::events;
use crate::nodes::Cluster;
use crate::oracle::Oracle;
use crate::plan::{LONGEST_STEP_MS, Plan};
use crate::signals;
use crate::trace::Trace;
use crate::workload::{Outside, Workload};
use crate::{invariants, limited};

/// What came of one world.
pub struct Outcome {
    pub digest: u64,
    pub violations: Vec<String>,
    pub lines: Vec<String>,
}

/// When every world begins: 2026-01-01T00:00:00Z, in microseconds.
const BEGINNING_US: i64 = 1_767_225_600_000_000;

/// How often a world that should come to rest is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Looks after which a world never comes to rest.
const LOOKS_MAX: u32 = 3_000;

/// A wait that is long enough to be slept through by a cluster that is switched off.
const FAR: Duration = Duration::from_secs(30);

thread_local! {
    /// Panics of this thread's world.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes panics instead of printing them: actors and agents catch them.
pub fn hear_panics() {
    std::panic::set_hook(Box::new(|info| {
        PANICS.with_borrow_mut(|panics| panics.push(info.to_string()));
    }));
}

/// Simulates the world of a seed.
pub fn simulate(seed: u64, mutant: Option<Mutant>, prints: bool) -> Outcome {
    PANICS.with_borrow_mut(Vec::clear);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let (trace, oracle) = runtime.block_on(async {
        let trace = Trace::new(prints);
        let oracle = live(seed, mutant, &trace).await;
        (trace, oracle)
    });
    drop(runtime);
    let mut violations = oracle.violations();
    violations
        .extend(PANICS.with_borrow_mut(std::mem::take).into_iter().map(|panic| format!("a panic: {panic}")));
    Outcome { digest: trace.digest(), violations, lines: trace.lines() }
}

async fn live(seed: u64, mutant: Option<Mutant>, trace: &Trace) -> Arc<Oracle> {
    let plan = Plan::of(seed);
    trace.note(format_args!("{:?} {:?} {:?}", plan.lease, plan.weather, plan.limit));
    let beginning = Timestamp::from_timestamp_micros(BEGINNING_US).expect("an instant");
    let last_event: Arc<Mutex<BTreeMap<_, _>>> = Arc::default();
    let observer = {
        let (trace, last_event) = (trace.clone(), Arc::clone(&last_event));
        Box::new(move |seen: Seen<'_>| match seen {
            Seen::Event { run, seq, kind, node } => {
                let node = node.map(|node| format!(" by n{node}")).unwrap_or_default();
                trace.note(format_args!("  {} {seq} {kind}{node}", trace.name(run)));
                last_event.lock().unwrap().insert(run, Instant::now());
            }
            Seen::Owner(row) => {
                let owner = row.owner.map_or("nobody".to_owned(), |node| format!("n{node}"));
                let wake = row.wake_at.map(|at| format!(", due {}", at.format("%T%.3f"))).unwrap_or_default();
                trace.note(format_args!("  {} belongs to {owner}{wake}", trace.name(row.run)));
            }
            Seen::Breach(breach) => trace.note(format_args!("BREACH: {breach}")),
        })
    };
    let store = MemoryStore::simulated(beginning, seed, mutant, observer);
    let oracle = Oracle::new(&store, trace, &last_event);
    let workload = Workload::new(&Arc::new(Outside::default()), plan.limit);
    let cluster = Cluster::new(store, plan, workload, trace.clone(), Arc::clone(&oracle));
    cluster.start_all();
    trouble(&cluster).await;
    cluster.calm();
    let calm_at = cluster.now();
    let checked = async {
        settle(&cluster).await?;
        invariants::check(&cluster).await?;
        signals::check(&cluster, calm_at, grace(&cluster)).await?;
        events::check(&cluster).await?;
        limited::check(&cluster).await?;
        oracle.check().await
    };
    if let Err(error) = checked.await {
        oracle.violated(format!("the world cannot be read: {error}"));
    }
    if trace.prints() {
        print_live(&cluster).await;
    }
    cluster.end_all();
    oracle
}

/// Prints the logs of the runs that have not ended, and of what they replay; no part of the trace.
async fn print_live(cluster: &Arc<Cluster>) {
    let mut runs: Vec<_> = live_rows(cluster).await.unwrap_or_default().iter().map(|row| row.run).collect();
    let mut printed = 0;
    while let Some(run) = runs.get(printed).copied() {
        printed += 1;
        println!("{} {run}", cluster.trace.name(run));
        for recorded in cluster.store.log(run, 0, u32::MAX).await.unwrap_or_default() {
            let encoded = recorded.event.encode().expect("an event");
            println!(
                "  {} {} {:?} {} {}",
                recorded.seq, recorded.at, encoded.task, encoded.kind, encoded.payload
            );
            if let Event::Run(RunEvent::Created(created)) = recorded.event
                && let Trigger::Replay { of, .. } = created.trigger
            {
                runs.push(of);
            }
        }
    }
}

/// Plays the plan: troubles and requests at their instants.
async fn trouble(cluster: &Arc<Cluster>) {
    let began = Instant::now();
    let plan = cluster.plan.clone();
    let (mut troubles, mut requests) = (plan.troubles.iter().peekable(), plan.requests.iter().peekable());
    loop {
        let next = [troubles.peek().map(|(at, _)| *at), requests.peek().map(|(at, _)| *at)];
        let Some(next) = next.into_iter().flatten().min() else { break };
        tokio::time::sleep_until(began + next).await;
        while let Some((_, trouble)) = troubles.next_if(|(at, _)| *at <= next) {
            cluster.trouble(trouble);
        }
        while let Some((_, request)) = requests.next_if(|(at, _)| *at <= next) {
            cluster.ask(request);
        }
    }
    tokio::time::sleep_until(began + plan.troubled).await;
}

/// How long anything takes at most when nothing goes wrong any more.
fn grace(cluster: &Cluster) -> Duration {
    3 * cluster.plan.lease + Duration::from_millis(LONGEST_STEP_MS) + Duration::from_secs(3)
}

/// Waits until every run has ended and every signal is told; finds what should have gone on and did not.
async fn settle(cluster: &Arc<Cluster>) -> Result<(), Error> {
    let grace = grace(cluster);
    let mut calm_since = Instant::now();
    let mut all_ended: Option<Instant> = None;
    for _ in 0..LOOKS_MAX {
        tokio::time::sleep(LOOK).await;
        let live = live_rows(cluster).await?;
        let all_told = signals::all_are_told(cluster);
        if live.is_empty() && all_told && cluster.unanswered().is_empty() {
            return Ok(());
        }
        let now = cluster.now();
        let until = |at: Timestamp| (at - now).to_std().unwrap_or_default();
        let due = live.iter().flat_map(|row| [row.wake_at, row.deadline_at]).flatten().map(until).min();
        let at_rest = live.iter().all(|row| row.owner.is_none());
        if let Some(due) = due.filter(|due| at_rest && all_told && *due > FAR) {
            sleep_through(cluster, due).await;
            calm_since = Instant::now();
        } else if calm_since.elapsed() > grace {
            if let Some(problem) = invariants::overdue(cluster, &live, grace).await? {
                cluster.oracle.violated(problem);
                return Ok(());
            }
        }
        all_ended = live.is_empty().then(|| all_ended.unwrap_or_else(Instant::now));
        if all_ended.is_some_and(|ended| ended.elapsed() > grace) {
            break;
        }
    }
    for request in cluster.unanswered() {
        cluster.oracle.violated(format!("never answered: {request}"));
    }
    Ok(())
}

/// Switches the cluster off while there is nothing to do for long.
async fn sleep_through(cluster: &Arc<Cluster>, due: Duration) {
    for at in 0..cluster.plan.processes {
        cluster.shut_down(at, Duration::ZERO).await;
    }
    tokio::time::sleep(due - Duration::from_secs(1)).await;
    cluster.start_all();
}

async fn live_rows(cluster: &Cluster) -> Result<Vec<RunRow>, Error> {
    let mut live = Vec::new();
    for run in cluster.store.runs() {
        live.extend(cluster.store.row(run).await?.filter(|row| !row.status.is_terminal()));
    }
    Ok(live)
}
