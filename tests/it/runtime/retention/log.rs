//! The months of the log.

use runlog::runtime::Error;
use runlog::store::StoreError;

use super::*;
use crate::support::{Ground, gate};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_stays_while_many_events_of_it_are_not_in_the_archive() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(gate()).workflow(echo()).start().await.unwrap();
    let live = runtime.run(&gate(), 1.into()).start().await.unwrap().id();
    runtime.shutdown(Duration::ZERO).await.unwrap();
    let live = age(&ground, live, 200).await;
    let log = format!(
        "insert into runlog.events (run_id, seq, kind, schema_version, time, node, payload)
         select '{live}', seq, 'signal_received', 1, now(), 1, '{{\"name\":\"x\",\"payload\":1}}'
         from generate_series((select max(seq) + 1 from runlog.events where run_id = '{live}'), 5001) seq"
    );
    ground.psql(&log).await.unwrap();
    let client = ground.builder().client().start().await.unwrap();
    archive_at_once(&client).await;

    let done = client.prune_now().await.unwrap();

    assert_eq!(done.months, [""; 0], "5,001 events are too many to be moved");
    assert_eq!(old_months(&ground).await, 1);
    let fewer = format!(
        "begin; set local runlog.retention = 'on'; delete from runlog.events where run_id = '{live}' and seq = 5001; commit"
    );
    ground.psql(&fewer).await.unwrap();
    assert_eq!(client.prune_now().await.unwrap().months.len(), 1, "5,000 are not");
    assert_eq!(ground.count("select count(*) from runlog.events_default").await, 5_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_month_and_the_last_one_stay() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    ended(&runtime, "now", "1").await;
    let months = "select count(*) from pg_inherits where inhparent = 'runlog.events'::regclass";
    let before = ground.count(months).await;
    archive_at_once(&runtime).await;

    let done = runtime.prune_now().await.unwrap();

    assert_eq!((done.archived, done.months.len()), (1, 0));
    assert_eq!(ground.count(months).await, before);
    assert_eq!(ground.count("select count(*) from runlog.events").await, 6, "left for the month's end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_that_somebody_reads_is_dropped_by_a_later_pass() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let run = ended(&runtime, "old", "1").await;
    age(&ground, run.id(), 200).await;
    archive_at_once(&runtime).await;
    let mut reader = ground.pool.begin().await.unwrap();
    sqlx::query("select count(*) from runlog.events").execute(&mut *reader).await.unwrap();

    let refused = runtime.prune_now().await.unwrap_err();

    assert!(matches!(refused, Error::Store(StoreError::Unavailable { .. })), "{refused:?}");
    let shown = runtime.retention().await.unwrap();
    assert_eq!(shown.last.archived, 1, "what was done before counts");
    assert!(shown.failure.unwrap().error.contains("lock timeout"));
    reader.rollback().await.unwrap();
    assert_eq!(runtime.prune_now().await.unwrap().months.len(), 1);
    assert_eq!(runtime.retention().await.unwrap().failure, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_makes_the_months_that_come() {
    let ground = Postgres::new().await;
    let client = ground.builder().client().start().await.unwrap();
    let newest = "select max(right(inhrelid::regclass::text, 7)) from pg_inherits
                  where inhparent = 'runlog.events'::regclass and inhrelid::regclass::text like '%events_y%'";
    let newest = async || sqlx::query_scalar::<_, String>(newest).fetch_one(&ground.pool).await.unwrap();
    let before = newest().await;
    ground.psql(&format!("drop table runlog.events_y{before}")).await.unwrap();
    assert!(newest().await < before);

    client.prune_now().await.unwrap();

    assert_eq!(newest().await, before);
}
