//! Who serves what, how much of it, and what nodes tell each other.

use std::sync::Arc;
use std::time::Duration;

use runlog::model::{Version, WorkflowName};
use runlog::store::{News, NodeInfo, Served, Serving, Store, Wanted};

use crate::store::process::*;

async fn serving(store: &Arc<dyn Store>) -> (u32, u32) {
    let Served { workflow, version, .. } = served();
    let Serving { nodes, full, .. } = store.serving(&workflow, &version).await.expect("serving");
    (nodes, full)
}

pub(super) async fn living_nodes_that_serve_a_version_are_counted(store: Arc<dyn Store>) {
    assert_eq!(serving(&store).await, (0, 0));
    let dying = Process::join_for(&store, SHORT).await;
    let leaving = Process::join(&store).await;
    Process::join(&store).await;
    let other = Served { version: Version::new("2").expect("a version"), ..served() };
    Process::join_as(&store, NodeInfo { served: vec![other], ..info() }, LONG).await;
    assert_eq!(serving(&store).await, (3, 0));
    dying.expire().await;
    assert_eq!(serving(&store).await, (2, 0));
    store.leave(leaving.node).await.expect("leave");
    assert_eq!(serving(&store).await, (1, 0));
}

pub(super) async fn a_node_is_full_by_its_slots_or_by_those_of_the_workflow(store: Arc<dyn Store>) {
    let two = Process::join_as(&store, NodeInfo { slots: 2, ..info() }, LONG).await;
    two.started().await;
    assert_eq!(serving(&store).await, (1, 0));
    two.started().await;
    assert_eq!(serving(&store).await, (1, 1));
    let of_one = NodeInfo { served: vec![Served { slots: 1, ..served() }], ..info() };
    let one = Process::join_as(&store, of_one, LONG).await;
    assert_eq!(serving(&store).await, (2, 1));
    one.started().await;
    assert_eq!(serving(&store).await, (2, 2));
}

pub(super) async fn a_claim_takes_no_more_of_a_workflow_than_there_is_room_for(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let mut queued = Vec::new();
    for priority in [0, 7, 3, 1] {
        queued.push(process.queued(|born| born.priority = priority).await);
    }
    let free = process.queued(|born| born.workflow = WorkflowName::new("refund").expect("a name")).await;
    let refund = Served { workflow: WorkflowName::new("refund").expect("a name"), ..served() };
    let wanted = |slots| Wanted {
        served: vec![Served { slots, ..served() }, refund.clone()],
        limit: 10,
        ..Wanted::default()
    };
    let mut claimed = process.claim(wanted(2)).await.runs;
    claimed.sort_unstable();
    assert_eq!(claimed, [queued[1], queued[2], free], "the most urgent two of it, and all of the other");
    assert_eq!(process.claim(wanted(0)).await.runs, []);
    process.signal(queued[0], "go").await;
    assert_eq!(process.claim(wanted(0)).await.runs, [queued[0]], "a message needs no room for code");
}

pub(super) async fn the_clock_is_the_databases(store: Arc<dyn Store>) {
    let joined = Process::join(&store).await.joined.now;
    let now = store.now().await.expect("now");
    assert!(now >= joined && now - joined < chrono::TimeDelta::seconds(20), "{joined} {now}");
}

pub(super) async fn what_one_announces_the_others_hear(store: Arc<dyn Store>) {
    let listen = async || {
        tokio::time::timeout(Duration::from_secs(20), store.listen()).await.expect("news").expect("listening")
    };
    assert_eq!(listen().await, [News::Due], "whoever begins to listen looks for himself");
    let run = runlog::clock::Clock::starting_at(long_ago()).new_run_id();
    let told = [News::Due, News::Soon, News::Mail(run), News::Followed(run), News::Grown(run)];
    store.announce(&told).await.expect("announced");
    let mut heard = Vec::new();
    while heard.len() < told.len() {
        heard.extend(listen().await);
    }
    assert_eq!(heard, told);
}
