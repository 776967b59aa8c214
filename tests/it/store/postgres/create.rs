//! Starting runs that nobody owns yet.

use runlog::store::postgres::create_in;
use runlog::store::{Created, Store};

use super::*;

#[tokio::test]
async fn a_hundred_starts_of_one_key_are_one_run() {
    let stage = Stage::new().await;
    let starts = (0..100).map(|_| [born(stage.clock.new_run_id(), Some("order-1"), Status::Queued)]);
    let starts: Vec<_> = starts.collect();
    let answers = futures_util::future::try_join_all(starts.iter().map(|start| stage.store.create(start)));
    let answers = answers.await.unwrap().concat();
    let winners: Vec<_> = answers.iter().filter(|answer| answer.created).collect();
    assert_eq!(winners.len(), 1);
    assert!(answers.iter().all(|answer| answer.run == winners[0].run));
    assert_eq!(stage.count("select count(*) from runlog.runs").await, 1);
    assert_eq!(stage.count("select count(*) from runlog.events").await, 1);
}

#[tokio::test]
async fn many_starts_are_answered_in_their_order() {
    let stage = Stage::new().await;
    let ids: Vec<RunId> = (0..5).map(|_| stage.clock.new_run_id()).collect();
    let keys = [Some("z"), None, Some("a"), Some("z"), Some("b")];
    let starts: Vec<_> = ids.iter().zip(keys).map(|(run, key)| born(*run, key, Status::Queued)).collect();
    stage.store.create(&starts[2..3]).await.unwrap();
    let expected = [(ids[0], true), (ids[1], true), (ids[2], true), (ids[0], false), (ids[4], true)];
    let expected = expected.map(|(run, created)| Created { run, created });
    assert_eq!(stage.store.create(&starts).await.unwrap(), expected);
    assert_eq!(stage.store.create(&starts).await.unwrap(), expected, "asked again after a lost answer");
    assert_eq!(stage.count("select count(*) from runlog.events").await, 4);
}

#[tokio::test]
async fn a_start_in_a_transaction_is_undone_with_it() {
    let stage = Stage::new().await;
    let run = stage.clock.new_run_id();
    let mut transaction = stage.pool.begin().await.unwrap();
    create_in(&mut transaction, &[born(run, Some("order-1"), Status::Queued)]).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(stage.store.row(run).await.unwrap(), None);
    let key = Key::new("order-1").unwrap();
    assert_eq!(stage.store.find(&Namespace::default(), &workflow(), &key).await.unwrap(), None);
}
