//! Who may not write.

use std::sync::Arc;

use runlog::model::{NodeId, RunId, Status};
use runlog::store::{Store, StoreError, Wanted};

use crate::store::process::*;

async fn is_fenced(process: &Process, run: RunId) {
    let answer = process.append(&[commit([append(run, 1).note("late")])]).await;
    assert!(matches!(answer, Err(StoreError::Fenced)), "{answer:?}");
    assert_eq!(process.notes(run).await, ["run_created"]);
}

pub(super) async fn an_expired_node_writes_nothing_even_before_a_rescue(store: Arc<dyn Store>) {
    let process = Process::join_for(&store, SHORT).await;
    let run = process.started().await;
    process.expire().await;
    is_fenced(&process, run).await;
    assert_eq!(process.row(run).await.owner, Some(process.node), "only a rescue releases");
}

pub(super) async fn a_dead_node_writes_nothing(store: Arc<dyn Store>) {
    let process = Process::join_for(&store, SHORT).await;
    let run = process.started().await;
    process.expire().await;
    store.rescue().await.expect("rescue");
    is_fenced(&process, run).await;
}

pub(super) async fn a_node_that_left_writes_nothing(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.started().await;
    store.leave(process.node).await.expect("leave");
    is_fenced(&process, run).await;
}

pub(super) async fn an_unknown_node_writes_nothing(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let birth = process.birth(Status::Running);
    let run = birth.run;
    let answer = store.append(NodeId(9_999), 0, &[commit([birth])]).await;
    assert!(matches!(answer, Err(StoreError::Fenced)), "{answer:?}");
    assert_eq!(store.row(run).await.expect("row"), None);
}

pub(super) async fn a_node_writes_nothing_on_a_lane_it_did_not_join(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let birth = process.birth(Status::Running);
    let run = birth.run;
    let answer = store.append(process.node, 2, &[commit([birth])]).await;
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(store.row(run).await.expect("row"), None);
}

pub(super) async fn a_node_writes_on_each_of_its_lanes(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    for lane in [0, 1] {
        let birth = process.birth(Status::Running);
        let run = birth.run;
        store.append(process.node, lane, &[commit([birth])]).await.expect("append");
        assert_eq!(process.row(run).await.owner, Some(process.node));
    }
}

pub(super) async fn a_dead_node_claims_nothing(store: Arc<dyn Store>) {
    let (dead, living) = (Process::join(&store).await, Process::join(&store).await);
    let run = living.queued(|_| {}).await;
    store.leave(dead.node).await.expect("leave");

    let answer = store.claim(dead.node, &Wanted { runs: vec![run], limit: 1, ..Wanted::default() }).await;

    assert!(matches!(answer, Err(StoreError::Fenced)), "{answer:?}");
    assert_eq!(living.row(run).await.owner, None);
}
