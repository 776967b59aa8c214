//! Who may write.

use runlog::store::{FenceCause, Heartbeat, Store, StoreError};

use super::*;

#[tokio::test]
async fn a_dead_node_writes_nothing() {
    let stage = Stage::new().await;
    let run = stage.running().await;
    stage.psql("update runlog.leases set lease_until = now() - interval '1 s'").await.unwrap();
    let rescue = stage.store.rescue().await.unwrap();
    assert_eq!((rescue.died, rescue.released, rescue.next_expiry), (vec![stage.node], 1, None));
    stage.psql("update runlog.leases set lease_until = now() + interval '1 h'").await.unwrap();

    let batch = [commit(next(run, 1)), commit(born(stage.clock.new_run_id(), None, Status::Running))];
    assert!(matches!(stage.append(&batch).await, Err(StoreError::Fenced)));
    assert!(matches!(
        stage.store.heartbeat(stage.node, LEASE).await,
        Ok(Heartbeat::Fenced { cause: FenceCause::LeaseOver })
    ));
    assert_eq!(stage.count("select count(*) from runlog.events").await, 1);
    assert_eq!(
        stage.count("select count(*) from runlog.runs where owner is null and wake_at <= now()").await,
        1
    );
}

#[tokio::test]
async fn a_node_whose_lease_has_expired_on_its_lane_writes_nothing() {
    let stage = Stage::new().await;
    let run = stage.running().await;
    stage.psql("update runlog.leases set lease_until = now() - interval '1 s' where lane = 0").await.unwrap();

    assert!(matches!(stage.append(&[commit(next(run, 1))]).await, Err(StoreError::Fenced)));
    assert!(matches!(
        stage.store.heartbeat(stage.node, LEASE).await,
        Ok(Heartbeat::Fenced { cause: FenceCause::LeaseOver })
    ));
    assert_eq!(stage.count("select count(*) from runlog.events").await, 1);
}

#[tokio::test]
async fn a_node_that_expired_on_one_lane_is_dead_on_all() {
    let stage = Stage::new().await;
    stage.psql("update runlog.leases set lease_until = now() - interval '1 s' where lane = 0").await.unwrap();
    assert_eq!(stage.store.rescue().await.unwrap().died, vec![stage.node]);
    assert_eq!(stage.count("select count(*) from runlog.leases where not dead").await, 0);
    assert_eq!(stage.store.rescue().await.unwrap().died, vec![]);
}

#[tokio::test]
async fn a_rescue_waits_for_a_commit_in_flight() {
    let stage = Stage::new().await;
    let mut zombie = stage.pool.begin().await.unwrap();
    let run = stage.running().await;
    let append = next(run, 1);
    stage.store.checkpoint(&mut zombie, stage.node, 0, &append).await.unwrap();
    let expire = "update runlog.leases set lease_until = now() - interval '1 s' where lane = 1";
    stage.psql(expire).await.unwrap();

    let (rescue, ()) = tokio::join!(stage.store.rescue(), async {
        stage.until_blocked("suspects").await;
        zombie.commit().await.unwrap();
    });
    assert_eq!(rescue.unwrap().died, vec![stage.node]);
    assert_eq!(stage.count("select count(*) from runlog.events").await, 2);
    let mut transaction = stage.pool.begin().await.unwrap();
    let late = stage.store.checkpoint(&mut transaction, stage.node, 0, &next(run, 2)).await;
    assert!(matches!(late, Err(StoreError::Fenced)));
}

#[tokio::test]
async fn a_node_that_leaves_is_dead_and_owns_nothing() {
    let stage = Stage::new().await;
    let run = stage.running().await;
    stage.store.leave(stage.node).await.unwrap();
    stage.store.leave(stage.node).await.unwrap();
    assert!(matches!(stage.append(&[commit(next(run, 1))]).await, Err(StoreError::Fenced)));
    assert_eq!(
        stage.count("select count(*) from runlog.runs where owner is null and wake_at is not null").await,
        1
    );
    assert_eq!(stage.count("select count(*) from runlog.nodes where left_at is not null").await, 1);
}

#[tokio::test]
async fn a_node_of_a_lost_history_writes_nothing_though_another_has_its_id() {
    let stage = Stage::new().await;
    let run = stage.running().await;
    // What a database restored to before the node joined looks like, once another node has joined.
    let forget = "delete from runlog.leases; delete from runlog.nodes; alter table runlog.nodes alter id restart with 1";
    stage.psql(forget).await.unwrap();
    let other = PostgresStore::open(stage.pool.clone(), 2, false).await.unwrap();
    let joined = other.join(&info(), 2, LEASE).await.unwrap();
    assert_eq!(joined.node, stage.node);

    let beat = stage.store.heartbeat(stage.node, LEASE).await.unwrap();
    assert_eq!(beat, Heartbeat::Fenced { cause: FenceCause::HistoryLost });
    assert!(matches!(stage.append(&[commit(next(run, 1))]).await, Err(StoreError::Fenced)));
    assert!(matches!(stage.store.claim(stage.node, &Default::default()).await, Err(StoreError::Fenced)));
    let mut transaction = stage.pool.begin().await.unwrap();
    let checkpoint = stage.store.checkpoint(&mut transaction, stage.node, 0, &next(run, 1)).await;
    assert!(matches!(checkpoint, Err(StoreError::Fenced)));
    drop(transaction);
    stage.store.leave(stage.node).await.unwrap();

    assert!(matches!(other.heartbeat(joined.node, LEASE).await, Ok(Heartbeat::Alive { .. })));
    assert_eq!(
        other.row(run).await.unwrap().unwrap().owner,
        Some(joined.node),
        "nobody released what is the other's"
    );
}

#[tokio::test]
async fn a_node_of_another_timeline_is_fenced_and_its_runs_are_free_at_once() {
    let stage = Stage::new().await;
    let run = stage.running().await;
    // What a replica looks like that was promoted: the leases are those of the timeline before.
    stage.psql("update runlog.leases set timeline = '0000FFFF'").await.unwrap();

    let beat = stage.store.heartbeat(stage.node, LEASE).await.unwrap();
    assert_eq!(beat, Heartbeat::Fenced { cause: FenceCause::HistoryLost });
    assert!(matches!(stage.append(&[commit(next(run, 1))]).await, Err(StoreError::Fenced)));
    let rescue = stage.store.rescue().await.unwrap();
    assert_eq!((rescue.died, rescue.released), (vec![stage.node], 1));
}

#[tokio::test]
async fn no_event_is_recorded_for_an_instant_beyond_the_lease() {
    let stage = Stage::new().await;
    let run = stage.running().await;
    // The server takes its time between its look at the lease and the instant that it records.
    let slow =
        "create or replace function runlog.timeline() returns text volatile language plpgsql cost 1000 as
        $$ begin perform pg_sleep(0.4); return left(pg_walfile_name(pg_current_wal_lsn()), 8); end $$";
    stage.psql(slow).await.unwrap();
    let soon_over = "update runlog.leases set lease_until = clock_timestamp() + interval '200 ms'";
    let events = next(run, 1);
    let births = born(stage.clock.new_run_id(), None, Status::Running);
    let keyed = born(stage.clock.new_run_id(), Some("k"), Status::Running);
    for append in [events.clone(), births, keyed] {
        stage.psql(soon_over).await.unwrap();
        let answer = stage.append(&[commit(append)]).await;
        assert!(matches!(answer, Err(StoreError::Fenced)), "{answer:?}");
    }
    stage.psql(soon_over).await.unwrap();
    let mut transaction = stage.pool.begin().await.unwrap();
    let answer = stage.store.checkpoint(&mut transaction, stage.node, 0, &events).await;
    assert!(matches!(answer, Err(StoreError::Fenced)), "{answer:?}");
    transaction.rollback().await.unwrap();
    assert_eq!(stage.count("select count(*) from runlog.events").await, 1);
}
