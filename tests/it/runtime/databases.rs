//! Databases that a runtime cannot, or can only just, live on.

use std::time::Duration;

use tokio::time::Instant;

use futures_util::future::BoxFuture;
use runlog::store::StoreError;
use runlog::{Cx, CxError, Error, Runtime, Workflow};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::support::{Ground, Postgres, echo, gate, json, soon};

async fn refused(pool: PgPool) -> StoreError {
    match Runtime::builder(pool).workflow(gate()).start().await {
        Ok(_) => panic!("it was accepted"),
        Err(Error::Store(error)) => error,
        Err(error) => panic!("{error:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_database_is_told_at_once_with_the_cause() {
    let nowhere = "postgres://runlog@127.0.0.1:1/nothing";
    let pool = PgPoolOptions::new().connect_lazy(nowhere).unwrap();
    let since = Instant::now();

    let error = refused(pool).await;

    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(since.elapsed() < Duration::from_secs(15), "it took {:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_does_not_exist_is_told_by_its_name() {
    let ground = Postgres::empty().await;
    let options = ground.pool.connect_options().as_ref().clone().database("no_such_database");
    let error = refused(PgPoolOptions::new().connect_lazy_with(options)).await;
    assert!(error.to_string().contains("no_such_database"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_database_is_refused_and_left_as_it_was() {
    let ground = Postgres::empty().await;
    let name: String =
        sqlx::query_scalar("select current_database()::text").fetch_one(&ground.pool).await.unwrap();
    ground.psql(&format!("alter database \"{name}\" set default_transaction_read_only = on")).await.unwrap();
    let pool = PgPool::connect(&ground.url).await.unwrap();

    let error = refused(pool).await;

    assert!(matches!(&error, StoreError::ReadOnly { database } if *database == name), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("the database {name:?} is read-only (a replica?): connect to the primary")
    );
    assert_eq!(ground.count("select count(*) from pg_namespace where nspname = 'runlog'").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_of_a_newer_release_is_refused_and_left_as_it_was() {
    let ground = Postgres::new().await;
    let newer = "insert into runlog.migrations select 9999, 'newer', now(), true, checksum, 1 from runlog.migrations limit 1";
    ground.psql(newer).await.unwrap();

    let error = refused(ground.pool.clone()).await;

    assert!(matches!(error, StoreError::SchemaTooNew { found: 9_999, .. }), "{error:?}");
    assert!(error.to_string().ends_with("upgrade this node"), "{error}");
    let rows = "select (select count(*) from runlog.nodes) + (select count(*) from runlog.workflows)";
    assert_eq!(ground.count(rows).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_schema_is_made_unless_the_embedder_migrates_himself() {
    let ground = Postgres::empty().await;
    let checked = ground.builder().workflow(echo()).migrate(false).start().await;
    assert!(matches!(checked, Err(Error::Store(StoreError::SchemaTooOld { found: 0, .. }))));
    assert_eq!(ground.count("select count(*) from pg_namespace where nspname = 'runlog'").await, 0);

    let runtime = ground.builder().workflow(echo()).start().await.unwrap();

    let run = runtime.run(&echo(), json("1")).start().await.unwrap();
    assert_eq!(soon("its output", run.output()).await.unwrap().get(), "1");
    ground.builder().workflow(echo()).migrate(false).start().await.unwrap();
}

#[test]
fn a_server_that_is_too_old_is_told_with_what_is_needed() {
    let error = StoreError::ServerTooOld { found: "12.4".to_owned(), oldest: 14 };
    assert_eq!(error.to_string(), "the server is PostgreSQL 12.4, at least 14 is needed: upgrade it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_shape_under_live_runs_is_refused_and_nothing_joins() {
    let ground = Postgres::new().await;
    let first = ground.builder().workflow(gate()).start().await.unwrap();
    let run = first.run(&gate(), 1.into()).start().await.unwrap();
    let dag = Workflow::dag::<serde_json::Value>("gate");
    let task = dag.task("other", |_: Cx, _: serde_json::Value| async { Ok::<_, CxError>(String::new()) });
    let reshaped = dag.output(&task);

    let refused = ground.builder().workflow(reshaped.clone()).start().await;

    assert!(matches!(refused, Err(Error::Store(StoreError::ShapeChanged { .. }))));
    assert_eq!(ground.count("select count(*) from runlog.nodes").await, 1);
    run.signal("go", &"on").await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    ground.builder().workflow(reshaped).start().await.expect("no live run is of the old shape");
}

fn book<'tx>(tx: &'tx mut sqlx::PgTransaction<'static>, n: i32) -> BoxFuture<'tx, Result<(), sqlx::Error>> {
    Box::pin(async move {
        sqlx::query("insert into booked values ($1)").bind(n).execute(&mut **tx).await.map(drop)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_can_be_started_in_a_spawned_future() {
    let ground = Postgres::empty().await;
    let started = tokio::spawn(ground.builder().workflow(echo()).start()).await.unwrap();
    started.unwrap().shutdown(Duration::ZERO).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_of_one_connection_is_enough() {
    let ground = Postgres::new().await;
    ground.psql("create table booked (n int)").await.unwrap();
    let pool = PgPoolOptions::new().max_connections(1).connect(&ground.url).await.unwrap();
    let booking = Workflow::function("booking", |cx: Cx, n: i32| async move {
        cx.step("before", || async { Ok::<_, CxError>(()) }).await?;
        cx.transaction("book", move |tx| book(tx, n)).await?;
        cx.signal::<()>("go").await.map(drop)
    });
    let runtime =
        Runtime::builder(pool.clone()).workflow(booking.clone()).park_after(Duration::from_millis(1));
    let runtime = runtime.start().await.unwrap();
    let mut transaction = pool.begin().await.unwrap();
    let in_transaction = runtime.run(&booking, 0).start_in(&mut transaction).await.unwrap().run;
    transaction.commit().await.unwrap();

    let work = async |n: i32| {
        let run = runtime.run(&booking, n).start().await.unwrap();
        run.signal("go", &()).await.unwrap();
        run.output().await.unwrap();
    };
    soon("all", futures_util::future::join_all((1..30).map(work))).await;
    in_transaction.signal("go", &()).await.unwrap();
    soon("the first", in_transaction.output()).await.unwrap();

    assert_eq!(ground.count("select count(*) from booked").await, 30);
    assert_eq!(ground.count("select count(distinct n) from booked").await, 30);
}
