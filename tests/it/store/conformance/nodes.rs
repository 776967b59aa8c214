//! Joining, leases, death and rescue.

use std::sync::Arc;

use runlog::store::{Heartbeat, Store};

use crate::store::process::*;

pub(super) async fn every_node_gets_an_id_of_its_own(store: Arc<dyn Store>) {
    let (first, second) = (Process::join(&store).await, Process::join(&store).await);
    assert_ne!(first.node, second.node);
    assert!(first.joined.now <= second.joined.now);
}

pub(super) async fn a_heartbeat_renews_the_lease_on_every_lane(store: Arc<dyn Store>) {
    let renewed = Process::join_for(&store, SHORT).await;
    let alive = store.heartbeat(renewed.node, LONG).await.expect("heartbeat");
    assert!(matches!(alive, Heartbeat::Alive { now } if now >= renewed.joined.now), "{alive:?}");

    let other = Process::join_for(&store, SHORT).await;
    other.expire().await;

    for lane in [0, 1] {
        let birth = renewed.birth(runlog::model::Status::Running);
        store.append(renewed.node, lane, &[commit([birth])]).await.expect("the lease goes on");
    }
    assert_eq!(store.rescue().await.expect("rescue").died, [other.node]);
}

pub(super) async fn a_heartbeat_never_revives_an_expired_lease(store: Arc<dyn Store>) {
    let process = Process::join_for(&store, SHORT).await;
    process.expire().await;
    assert_eq!(store.heartbeat(process.node, LONG).await.expect("heartbeat"), OVER);
    assert_eq!(store.heartbeat(process.node, LONG).await.expect("heartbeat"), OVER);
}

pub(super) async fn dead_is_final(store: Arc<dyn Store>) {
    let process = Process::join_for(&store, SHORT).await;
    process.expire().await;
    assert_eq!(store.rescue().await.expect("rescue").died, [process.node]);
    assert_eq!(store.heartbeat(process.node, LONG).await.expect("heartbeat"), OVER);
    let late = process.append(&[commit([process.birth(runlog::model::Status::Running)])]).await;
    assert!(matches!(late, Err(runlog::store::StoreError::Fenced)), "{late:?}");
}

pub(super) async fn a_rescue_releases_the_runs_of_dead_nodes_only(store: Arc<dyn Store>) {
    let (dying, living) = (Process::join_for(&store, SHORT).await, Process::join(&store).await);
    let (orphan, kept) = (dying.started().await, living.started().await);
    dying.expire().await;

    let rescue = store.rescue().await.expect("rescue");

    assert_eq!((rescue.died, rescue.released), (vec![dying.node], 1));
    let (orphan, kept) = (living.row(orphan).await, living.row(kept).await);
    assert_eq!(orphan.owner, None);
    assert!(orphan.wake_at.is_some(), "an orphan is due at once");
    assert_eq!((kept.owner, kept.wake_at), (Some(living.node), None));
    assert_eq!(living.claim_served(10).await, [orphan.run]);
}

pub(super) async fn a_rescue_names_a_dead_node_once(store: Arc<dyn Store>) {
    let dying = Process::join_for(&store, SHORT).await;
    dying.started().await;
    dying.expire().await;
    assert_eq!(store.rescue().await.expect("rescue").died, [dying.node]);
    let again = store.rescue().await.expect("rescue");
    assert_eq!((again.died, again.released), (vec![], 0));
}

pub(super) async fn a_rescue_tells_when_the_next_lease_expires(store: Arc<dyn Store>) {
    assert_eq!(store.rescue().await.expect("rescue").next_expiry, None);
    let first = Process::join_for(&store, LONG).await;
    Process::join_for(&store, LONG * 2).await;

    let expiry = store.rescue().await.expect("rescue").next_expiry.expect("somebody lives");

    let after = (expiry - first.joined.now).to_std().expect("it is ahead");
    assert!(after.abs_diff(LONG) < std::time::Duration::from_secs(5), "{after:?}");
}

pub(super) async fn a_node_that_leaves_releases_its_runs_due_at_once(store: Arc<dyn Store>) {
    let (leaving, staying) = (Process::join(&store).await, Process::join(&store).await);
    let run = leaving.started().await;
    store.leave(leaving.node).await.expect("leave");

    let row = staying.row(run).await;
    assert_eq!(row.owner, None);
    assert_eq!(staying.claim_served(10).await, [run]);
}

pub(super) async fn leaving_twice_is_leaving_once(store: Arc<dyn Store>) {
    let (leaving, staying) = (Process::join(&store).await, Process::join(&store).await);
    let run = leaving.started().await;
    store.leave(leaving.node).await.expect("leave");
    assert_eq!(staying.claim_named(&[run]).await, [run]);

    store.leave(leaving.node).await.expect("leave again");

    assert_eq!(staying.row(run).await.owner, Some(staying.node));
    assert_eq!(store.rescue().await.expect("rescue").released, 0);
}
