//! What the store in memory adds: faults, a node's death on demand, virtual time.

use std::sync::Arc;
use std::time::Duration;

use runlog::model::Status;
use runlog::store::memory::{Call, CrashAfter, Fate, Faults, MemoryStore};
use runlog::store::{Heartbeat, Store, StoreError};

use super::new_year;
use super::process::*;

fn plain(store: &Arc<MemoryStore>) -> Arc<dyn Store> {
    Arc::clone(store) as Arc<dyn Store>
}

#[tokio::test]
async fn a_killed_node_is_fenced_and_keeps_its_runs_until_a_rescue() {
    let memory = MemoryStore::new(new_year());
    let process = Process::join(&plain(&memory)).await;
    let run = process.started().await;

    memory.kill(process.node);

    let late = process.append(&[commit([append(run, 1).note("late")])]).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    assert_eq!(memory.heartbeat(process.node, LONG).await.expect("heartbeat"), OVER);
    assert_eq!(process.row(run).await.owner, Some(process.node));
    let rescue = memory.rescue().await.expect("rescue");
    assert_eq!((rescue.died, rescue.released), (vec![process.node], 1));
}

#[tokio::test]
async fn a_crash_commits_its_event_and_cuts_one_connection_only() {
    let memory = MemoryStore::new(new_year());
    let crash = Arc::new(CrashAfter::new(3));
    let cut: Arc<dyn Store> = memory.connect_with(Arc::clone(&crash) as Arc<dyn Faults>);
    let process = Process::join(&cut).await;
    let run = process.started().await;
    assert!(!crash.has_crashed());

    let fatal = process.append(&[commit([append(run, 1).note("2").note("3").note("4")])]).await;

    assert!(matches!(fatal, Err(StoreError::Unavailable { .. })), "{fatal:?}");
    tokio::time::timeout(crate::support::PATIENCE, crash.crashed()).await.expect("it has crashed");
    let late = process.append(&[commit([append(run, 4).note("5")])]).await;
    assert!(matches!(late, Err(StoreError::Unavailable { .. })), "{late:?}");
    assert!(matches!(cut.row(run).await, Err(StoreError::Unavailable { .. })));
    assert_eq!(memory.log(run, 0, 9).await.expect("log").len(), 4, "the fatal append is committed");
    assert_eq!(memory.events_appended(), 4);
}

#[tokio::test]
async fn a_refused_append_does_not_count_towards_a_crash() {
    let memory = MemoryStore::new(new_year());
    let crash = Arc::new(CrashAfter::new(2));
    let cut: Arc<dyn Store> = memory.connect_with(Arc::clone(&crash) as Arc<dyn Faults>);
    let process = Process::join(&cut).await;
    let run = process.started().await;
    let refused = process.append(&[commit([append(run, 1).note("no").row(Status::Queued)])]).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    assert!(!crash.has_crashed());
}

/// Delays every append by a second and loses every answer to a claim.
struct Slow;

impl Faults for Slow {
    fn on_call(&self, call: &Call) -> Fate {
        if call.method == "append" { Fate::Delayed(Duration::from_secs(1)) } else { Fate::Passes }
    }

    fn on_answer(&self, call: &Call, _events: u64) -> Fate {
        if call.method == "claim" { Fate::Lost } else { Fate::Passes }
    }
}

#[tokio::test(start_paused = true)]
async fn a_delayed_append_commits_late_and_a_lost_claim_is_carried_out() {
    let memory = MemoryStore::new(new_year());
    let slow: Arc<dyn Store> = memory.connect_with(Arc::new(Slow));
    let process = Process::join(&slow).await;
    let birth = process.birth(Status::Running);
    assert_eq!(process.write(birth).await.at, new_year() + Duration::from_secs(1));

    let run = process.queued(|_| {}).await;
    let wanted = runlog::store::Wanted { runs: vec![run], limit: 1, ..Default::default() };
    assert!(matches!(slow.claim(process.node, &wanted).await, Err(StoreError::Unavailable { .. })));
    assert_eq!(process.row(run).await.owner, Some(process.node));
}

#[tokio::test(start_paused = true)]
async fn leases_expire_in_virtual_time() {
    let memory = MemoryStore::new(new_year());
    let process = Process::join_for(&plain(&memory), LONG).await;
    tokio::time::advance(LONG - Duration::from_millis(1)).await;
    assert!(matches!(memory.heartbeat(process.node, LONG).await, Ok(Heartbeat::Alive { .. })));
    tokio::time::advance(LONG).await;
    assert_eq!(memory.heartbeat(process.node, LONG).await.expect("heartbeat"), OVER);
}

#[tokio::test(start_paused = true)]
async fn changed_tells_of_every_run_that_a_claim_may_find() {
    let memory = MemoryStore::new(new_year());
    let process = Process::join(&plain(&memory)).await;
    let owned = process.started().await;

    let queued = memory.changed();
    process.queued(|_| {}).await;
    told(queued, true).await;

    let mailed = memory.changed();
    process.signal(owned, "hello").await;
    told(mailed, true).await;

    let killed = memory.changed();
    memory.kill(process.node);
    told(killed, true).await;

    let released = memory.changed();
    memory.rescue().await.expect("rescue");
    told(released, true).await;

    let read = memory.changed();
    process.row(owned).await;
    told(read, false).await;
}

async fn told(changed: impl Future<Output = ()>, expected: bool) {
    let told = tokio::time::timeout(Duration::from_millis(1), changed).await.is_ok();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn seeded_worlds_draw_the_same_ids() {
    let ids = |seed| {
        let memory = MemoryStore::seeded(new_year(), seed);
        let clock = memory.clock();
        let low = |id: runlog::model::RunId| id.shard();
        [low(clock.new_run_id()), low(clock.new_run_id())]
    };
    assert_eq!(ids(7), ids(7));
    assert_ne!(ids(7), ids(8));
}

#[tokio::test]
async fn a_memory_store_has_no_pool() {
    assert!(MemoryStore::new(new_year()).pool().is_none());
}

#[tokio::test]
async fn only_the_owner_of_a_live_run_appends_to_it() {
    let memory = MemoryStore::new(new_year());
    let (owner, other) = (Process::join(&plain(&memory)).await, Process::join(&plain(&memory)).await);
    let (run, ended, unknown) = (owner.started().await, owner.started().await, owner.clock.new_run_id());
    owner.end(ended, Status::Succeeded).await;
    for (run, expected) in [(run, 1), (ended, 2), (unknown, 0)] {
        let answer = other.append(&[commit([append(run, expected).note("stray")])]).await;
        assert!(matches!(answer, Err(StoreError::Bug { .. } | StoreError::Refused { .. })), "{answer:?}");
    }
    assert_eq!(memory.events_appended(), 3);
}
