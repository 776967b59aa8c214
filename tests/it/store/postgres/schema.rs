//! Opening the store.

use runlog::store::{Shape, Store, StoreError};

use super::*;

/// Reads the number of the newest migration off its file.
fn newest() -> i64 {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    let number = |name: &str| name.split_once('_')?.0.parse::<i64>().ok();
    folder.filter_map(|file| number(file.unwrap().file_name().to_str().unwrap())).max().unwrap()
}

#[tokio::test]
async fn two_nodes_may_migrate_at_once() {
    let pool = database().await;
    let open = || PostgresStore::open(pool.clone(), 2, true);
    let (one, two) = tokio::join!(open(), open());
    one.unwrap().join(&info(), 2, LEASE).await.unwrap();
    two.unwrap().join(&info(), 2, LEASE).await.unwrap();
    PostgresStore::open(pool, 2, false).await.unwrap();
}

#[tokio::test]
async fn a_schema_that_is_not_there_is_named() {
    let answer = PostgresStore::open(database().await, 2, false).await.unwrap_err();
    assert!(
        matches!(answer, StoreError::SchemaTooOld { found: 0, known } if known == newest()),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_schema_of_a_newer_release_is_refused() {
    let stage = Stage::new().await;
    let migrate = "insert into runlog.migrations values (9999, 'later', now(), true, '', 0)";
    stage.psql(migrate).await.unwrap();
    let answer = PostgresStore::open(stage.pool.clone(), 2, true).await.unwrap_err();
    let StoreError::SchemaTooNew { found, known } = answer else { panic!("{answer:?}") };
    assert_eq!((found, known), (9_999, newest()));
}

#[tokio::test]
async fn a_read_only_database_is_refused() {
    let pool = database().await;
    let name = pool.connect_options().get_database().unwrap().to_owned();
    let alter = AssertSqlSafe(format!("alter database {name} set default_transaction_read_only = on"));
    sqlx::query(alter).execute(&pool).await.unwrap();
    let replica = PgPool::connect_with((*pool.connect_options()).clone()).await.unwrap();
    let answer = PostgresStore::open(replica, 2, true).await.unwrap_err();
    assert!(matches!(&answer, StoreError::ReadOnly { database } if *database == name), "{answer:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let nowhere = PgConnectOptions::new().socket("/nowhere").username("nobody");
    let answer = PostgresStore::open(PgPool::connect_lazy_with(nowhere), 2, true).await.unwrap_err();
    assert!(matches!(answer, StoreError::Unavailable { .. }), "{answer:?}");
}

#[tokio::test]
async fn a_shape_may_change_only_while_no_run_started_with_the_old_one() {
    let stage = Stage::new().await;
    let shape = |text: &str| {
        [Shape {
            workflow: workflow(),
            version: version(),
            tasks: vec![],
            shape: text.to_owned(),
            timeout: None,
            start_timeout: None,
            limit: None,
        }]
    };
    stage.store.register(&shape("a")).await.unwrap();
    stage.store.create(&[born(stage.clock.new_run_id(), None, Status::Queued)]).await.unwrap();
    stage.store.register(&shape("b")).await.unwrap();

    let run = stage.running().await;
    stage.store.register(&shape("b")).await.unwrap();
    let answer = stage.store.register(&shape("c")).await.unwrap_err();
    assert!(matches!(answer, StoreError::ShapeChanged { .. }), "{answer:?}");
    stage.append(&[commit(parking(run, 1, 0))]).await.unwrap();
    assert!(stage.store.register(&shape("c")).await.is_err(), "parked, waiting for a message");
    stage.store.send(run, &super::mail::cancel()).await.unwrap();
    assert!(stage.store.register(&shape("c")).await.is_err(), "parked and due");

    stage
        .psql("update runlog.runs set status = 'FAILED', wake_at = null where status = 'RUNNING'")
        .await
        .unwrap();
    stage.store.register(&shape("c")).await.unwrap();
}
