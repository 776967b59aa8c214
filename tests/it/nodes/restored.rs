//! A database that was restored to an earlier point.

use std::time::Duration;

use runlog::{Error, Runtime, Status};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::{Ground, PATIENCE, Postgres, gate, soon, until};

const LEASE: Duration = Duration::from_secs(2);

/// Runs statements beside the database.
async fn beside(url: &str, statements: &[String]) {
    let options: PgConnectOptions = url.parse().unwrap();
    let mut connection = PgConnection::connect_with(&options.database("postgres")).await.unwrap();
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut connection).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_database_goes_on_from_what_it_holds_and_takes_nothing_from_the_lost_history() {
    let Postgres { pool, url } = Postgres::new().await;
    let name = url.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    let first = Runtime::builder(pool.clone()).workflow(gate()).start().await.unwrap();
    let kept = first.run(&gate(), 1.into()).start().await.unwrap().id();
    first.shutdown(PATIENCE).await.unwrap();
    drop(first);
    pool.close().await;
    let copy = format!("create database \"{name}_backup\" template \"{name}\"");
    until("nobody is connected", async || {
        let options: PgConnectOptions = url.parse().unwrap();
        let mut connection = PgConnection::connect_with(&options.database("postgres")).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(copy.clone())).execute(&mut connection).await.is_ok()
    })
    .await;

    let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(PATIENCE).connect(&url).await.unwrap();
    let ground = Postgres { pool: pool.clone(), url: url.clone() };
    let node = ground.builder().workflow(gate()).lease(LEASE).start().await.unwrap();
    let lost = node.run(&gate(), 1.into()).start().await.unwrap();
    let before = ground.count("select max(id)::bigint from runlog.nodes").await;
    beside(
        &url,
        &[
            format!("drop database \"{name}\" with (force)"),
            format!("alter database \"{name}_backup\" rename to \"{name}\""),
        ],
    )
    .await;

    let joined = "select count(*) from runlog.nodes where left_at is null";
    until("it joined anew", async || {
        let count = sqlx::query_scalar::<_, i64>(joined).fetch_one(&pool).await;
        count.is_ok_and(|count| count == 1)
    })
    .await;
    let after = ground.count("select max(id)::bigint from runlog.nodes").await;
    assert_eq!(after, before, "the database gives the same id again: only the token tells the two apart");
    assert!(matches!(lost.get().await, Err(Error::NotFound { .. })));
    assert!(matches!(soon("its end", lost.wait()).await, Err(Error::NotFound { .. })));
    node.signal(kept, "go", &"on").await.unwrap();
    assert_eq!(soon("its end", node.handle(kept).wait()).await.unwrap(), Status::Succeeded);
    let new = node.run(&gate(), 1.into()).start().await.unwrap();
    new.signal("go", &"new").await.unwrap();
    assert_eq!(soon("its output", new.output()).await.unwrap(), "new");
    assert_eq!(ground.count("select count(*) from runlog.runs").await, 2);
    assert_eq!(ground.count("select count(*) from runlog.events where seq = 1").await, 2);
}
