//! The group commit.

use runlog::store::postgres::create_in;
use runlog::store::{Heartbeat, Store, StoreError};

use super::*;

#[tokio::test]
async fn a_lost_answer_is_recognised_and_given_again() {
    let stage = Stage::new().await;
    let (old, plain, keyed) = (stage.running().await, stage.clock.new_run_id(), stage.clock.new_run_id());
    let parked = stage.running().await;
    let batch = [
        commit(next(old, 1)),
        commit(born(plain, None, Status::Running)),
        commit(born(keyed, Some("order-1"), Status::Running)),
        commit(parking(parked, 1, 0)),
        commit(born(stage.clock.new_run_id(), Some("order-1"), Status::Running)),
    ];
    let first = stage.append(&batch).await.unwrap();
    assert_eq!((first.kept.len(), first.existing.len()), (0, 1));
    assert_eq!(stage.append(&batch).await.unwrap(), first);
    assert_eq!(stage.count("select count(*) from runlog.events").await, 6);
}

#[tokio::test]
async fn a_lost_answer_to_nothing_but_a_keyed_start_is_recognised() {
    let stage = Stage::new().await;
    let run = stage.clock.new_run_id();
    let batch = [commit(born(run, Some("order-1"), Status::Running))];
    let first = stage.append(&batch).await.unwrap();
    assert_eq!(stage.append(&batch).await.unwrap(), first);
    assert_eq!(first.existing, vec![]);
}

#[tokio::test]
async fn a_release_without_events_can_be_asked_for_again() {
    let stage = Stage::new().await;
    let run = stage.running().await;
    let mut parking = parking(run, 1, 0);
    parking.events.clear();
    let batch = [commit(parking)];
    assert_eq!(stage.append(&batch).await.unwrap().kept, vec![]);
    assert_eq!(stage.append(&batch).await.unwrap().kept, vec![]);
    assert_eq!(stage.store.row(run).await.unwrap().unwrap().owner, None);
}

#[tokio::test]
async fn an_event_of_another_node_is_a_conflict_and_named() {
    let stage = Stage::new().await;
    let (run, other) = (stage.running().await, stage.running().await);
    let usurper = stage.store.join(&info(), 2, LEASE).await.unwrap().node;
    stage.store.append(usurper, 0, &[commit(next(run, 1))]).await.unwrap();

    let answer = stage.append(&[commit(next(other, 1)), commit(next(run, 1))]).await;
    assert!(matches!(answer, Err(StoreError::Conflict { run: named, seq: 2 }) if named == run), "{answer:?}");
    assert_eq!(stage.count("select count(*) from runlog.events").await, 3);
}

#[tokio::test]
async fn a_taken_key_leaves_out_its_commit_and_harms_nobody_else() {
    let stage = Stage::new().await;
    let first = stage.clock.new_run_id();
    stage.append(&[commit(born(first, Some("order-1"), Status::Running))]).await.unwrap();
    let (old, plain) = (stage.running().await, stage.clock.new_run_id());
    let (second, child) = (stage.clock.new_run_id(), stage.clock.new_run_id());
    let batch = [
        commit(next(old, 1)),
        Commit {
            appends: vec![born(second, Some("order-1"), Status::Running), born(child, None, Status::Queued)],
        },
        commit(born(plain, None, Status::Queued)),
    ];
    let answer = stage.append(&batch).await.unwrap();
    assert_eq!(answer.existing, vec![second]);
    let loaded = stage.store.load(&[first, old, plain, second, child]).await.unwrap();
    let found: Vec<_> =
        loaded.iter().map(|loaded| (loaded.row.run, loaded.log.as_ref().unwrap().len())).collect();
    assert_eq!(found, vec![(first, 1), (old, 2), (plain, 1)]);
    assert_eq!(stage.count("select count(*) from runlog.events").await, 4);
}

#[tokio::test]
async fn a_release_is_kept_when_mail_came_that_the_owner_has_not_seen() {
    let stage = Stage::new().await;
    let run = stage.running().await;
    stage.store.send(run, &super::mail::cancel()).await.unwrap();
    assert_eq!(stage.append(&[commit(parking(run, 1, 0))]).await.unwrap().kept, vec![run]);
    assert_eq!(stage.store.row(run).await.unwrap().unwrap().owner, Some(stage.node));
    assert_eq!(stage.append(&[commit(parking(run, 2, 1))]).await.unwrap().kept, vec![]);
    assert_eq!(stage.store.row(run).await.unwrap().unwrap().owner, None);
}

#[tokio::test]
async fn a_run_may_be_created_and_parked_in_one_commit() {
    let stage = Stage::new().await;
    let run = stage.clock.new_run_id();
    let append = Append { row: parking(run, 0, 0).row, ..born(run, None, Status::Running) };
    assert_eq!(stage.append(&[commit(append)]).await.unwrap().kept, vec![]);
    let row = stage.store.row(run).await.unwrap().unwrap();
    assert_eq!((row.status, row.owner, row.started_at.is_some()), (Status::Running, None, true));
}

#[tokio::test]
async fn a_finished_run_is_owned_by_nobody_and_due_never() {
    let stage = Stage::new().await;
    let run = stage.running().await;
    let row = RowChange { status: Status::Succeeded, deadline_at: None, release: None, failure: None };
    let done = stage.append(&[commit(Append { row: Some(row), ..next(run, 1) })]).await.unwrap();
    let row = stage.store.row(run).await.unwrap().unwrap();
    assert_eq!((row.status, row.owner, row.wake_at), (Status::Succeeded, None, None));
    assert_eq!(row.finished_at, Some(done.at));
}

#[tokio::test]
async fn a_value_the_database_cannot_keep_is_refused() {
    let stage = Stage::new().await;
    let run = stage.running().await;
    let mut poison = next(run, 1);
    poison.events[0].payload = "\0".to_owned();
    let answer = stage.append(&[commit(poison)]).await;
    assert!(matches!(answer, Err(StoreError::Refused { .. })), "{answer:?}");
    stage.append(&[commit(next(run, 1))]).await.unwrap();
}

#[tokio::test]
async fn a_broken_connection_is_unavailable_once() {
    let stage = Stage::new().await;
    let run = stage.running().await;
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() \
                and datname = current_database()";
    stage.psql(kill).await.unwrap();
    let batch = [commit(next(run, 1))];
    let answer = stage.append(&batch).await;
    assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
    stage.append(&batch).await.unwrap();
}

#[tokio::test]
async fn a_key_held_by_an_open_transaction_never_costs_the_node_its_lease() {
    let stage = Stage::new().await;
    let mut open = stage.pool.begin().await.unwrap();
    let held = born(stage.clock.new_run_id(), Some("order-1"), Status::Queued);
    create_in(&mut open, std::slice::from_ref(&held)).await.unwrap();

    let batch = [commit(born(stage.clock.new_run_id(), Some("order-1"), Status::Running))];
    let (answer, heartbeat) = tokio::join!(stage.append(&batch), stage.store.heartbeat(stage.node, LEASE));
    assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
    assert!(matches!(heartbeat, Ok(Heartbeat::Alive { .. })), "{heartbeat:?}");
    open.commit().await.unwrap();
    assert_eq!(stage.append(&batch).await.unwrap().existing.len(), 1);
}

#[tokio::test]
async fn a_checkpoint_in_the_callers_transaction_names_its_conflict() {
    let stage = Stage::new().await;
    let run = stage.running().await;
    let mut transaction = stage.pool.begin().await.unwrap();
    let checkpoint = next(run, 1);
    stage.store.checkpoint(&mut transaction, stage.node, 0, &checkpoint).await.unwrap();
    transaction.rollback().await.unwrap();
    stage.append(&[commit(next(run, 1))]).await.unwrap();
    let mut transaction = stage.pool.begin().await.unwrap();
    let answer = stage.store.checkpoint(&mut transaction, stage.node, 0, &checkpoint).await;
    assert!(matches!(answer, Err(StoreError::Conflict { run: named, seq: 2 }) if named == run), "{answer:?}");
}
