//! A run that exists if and only if the caller's transaction commits.

use runlog::Error;
use runlog::store::StoreError;

use crate::support::{Ground, Memory, Postgres, echo, json, soon};

async fn runtime(ground: &Postgres) -> runlog::Runtime {
    ground.psql("create table orders (id int)").await.unwrap();
    ground.builder().workflow(echo()).start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_committed_transaction_has_its_run() {
    let ground = Postgres::new().await;
    let runtime = runtime(&ground).await;
    let mut transaction = ground.pool.begin().await.unwrap();
    sqlx::query("insert into orders values (1)").execute(&mut *transaction).await.unwrap();
    let started = runtime.run(&echo(), json("1")).start_in(&mut transaction).await.unwrap();
    assert!(started.created);
    assert_eq!(runtime.get(started.run.id()).await.unwrap(), None, "nobody sees it before the commit");

    transaction.commit().await.unwrap();

    assert_eq!(soon("its output", started.run.output()).await.unwrap().get(), "1");
    assert_eq!(ground.count("select count(*) from orders").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolled_back_transaction_has_no_run() {
    let ground = Postgres::new().await;
    let runtime = runtime(&ground).await;
    let mut transaction = ground.pool.begin().await.unwrap();
    let new = runtime.run(&echo(), json("1")).key("order");
    let run = new.start_in(&mut transaction).await.unwrap().run.id();

    transaction.rollback().await.unwrap();

    assert_eq!(runtime.get(run).await.unwrap(), None);
    let rows = "select (select count(*) from runlog.runs) + (select count(*) from runlog.events)";
    assert_eq!(ground.count(rows).await, 0);
    let again = runtime.run(&echo(), json("2")).key("order").start_or_get().await.unwrap();
    assert!(again.created, "the key is free");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_key_is_answered_inside_the_transaction_too() {
    let ground = Postgres::new().await;
    let runtime = runtime(&ground).await;
    let first = runtime.run(&echo(), json("1")).key("order").start().await.unwrap();
    let mut transaction = ground.pool.begin().await.unwrap();

    let again = runtime.run(&echo(), json("2")).key("order").start_in(&mut transaction).await.unwrap();
    let refused =
        runtime.run(&echo(), json("3")).key("order").if_exists_fail().start_in(&mut transaction).await;

    assert_eq!((again.run.id(), again.created), (first.id(), false));
    assert!(matches!(refused, Err(Error::KeyExists { run, .. }) if run == first.id()));
    sqlx::query("insert into orders values (1)").execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(
        ground.count("select count(*) from orders").await,
        1,
        "a refusal leaves the transaction alive"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_leaves_the_transaction_alive() {
    let ground = Postgres::new().await;
    let runtime = runtime(&ground).await;
    let mut transaction = ground.pool.begin().await.unwrap();

    let refused = runtime.run_by_name("echo", "{").start_in(&mut transaction).await;

    assert!(matches!(refused, Err(Error::Payload { field: "input", .. })));
    sqlx::query("insert into orders values (1)").execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(ground.count("select count(*) from orders").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_store_has_no_transactions() {
    let (postgres, memory) = (Postgres::new().await, Memory::new().await);
    let runtime = memory.builder().workflow(echo()).start().await.unwrap();
    let mut transaction = postgres.pool.begin().await.unwrap();

    let refused = runtime.run(&echo(), json("1")).start_in(&mut transaction).await;

    assert!(matches!(refused, Err(Error::Store(StoreError::NeedsPostgres { what: "start_in" }))));
}
