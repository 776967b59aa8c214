//! A key is one run for as long as that is kept, archived or not.

use runlog::runtime::Error;
use runlog::store::postgres::PostgresStore;
use runlog::store::{Store, StoreError};

use super::*;
use crate::support::Ground;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_stays_taken_when_its_run_is_archived() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let first = ended(&runtime, "order", "1").await.id();
    archive_at_once(&runtime).await;
    assert_eq!(runtime.prune_now().await.unwrap().archived, 1);
    let new = || runtime.run(&echo(), json("2")).key("order");

    let here = new().start_or_get().await.unwrap();
    let queued = new().delay(Duration::from_secs(60)).start_or_get().await.unwrap();
    let mut transaction = ground.pool.begin().await.unwrap();
    let within = new().start_in(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();
    let other = runtime.run(&echo(), json("2")).key("another");
    let many = runtime.start_many(vec![new(), other]).await.unwrap();

    for started in [&here, &queued, &within, &many[0]] {
        assert_eq!((started.run.id(), started.created), (first, false));
    }
    assert!(many[1].created);
    let refused = new().if_exists_fail().start().await.unwrap_err();
    assert!(matches!(refused, Error::KeyExists { run, .. } if run == first), "{refused:?}");
    let elsewhere = new().namespace("tenant").start_or_get().await.unwrap();
    assert!(elsewhere.created, "the same key of another namespace");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_meets_the_archiving_of_its_key_is_told_to_try_again() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let first = ended(&runtime, "order", "1").await.id();
    let client = ground.builder().client().workflow(echo()).start().await.unwrap();
    let start = async || client.run(&echo(), json("2")).key("order").start_or_get().await;
    // A pass that is about to commit.
    let mut pass = ground.pool.begin().await.unwrap();
    let archive = sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "insert into runlog.archived_runs (id, namespace, workflow, version, key, status, priority, created_at, finished_at,
                                           claims, mail, events, log)
         select id, namespace, workflow, version, key, status, priority, created_at, finished_at, claims, mail, 6, ''
         from runlog.runs where id = '{first}';
         delete from runlog.runs where id = '{first}'"
    )));
    archive.execute(&mut *pass).await.unwrap();

    let meeting = async {
        let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'
                       and query like '%insert into runlog.runs%' and datname = current_database()";
        crate::support::until("the start waits for the key", async || ground.count(waiting).await == 1).await;
        pass.commit().await.unwrap();
    };
    let (met, ()) = tokio::join!(start(), meeting);

    let told = met.unwrap_err();
    assert!(matches!(told, Error::Store(StoreError::Unavailable { .. })), "{told:?}");
    let again = start().await.unwrap();
    assert_eq!((again.run.id(), again.created), (first, false));
    let store = PostgresStore::open(ground.pool.clone(), 1, false).await.unwrap();
    assert!(store.row(first).await.unwrap().unwrap().archived_at.is_some());
}
