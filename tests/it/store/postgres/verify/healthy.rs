//! What the engine writes is sound, at rest and at work.

use std::sync::atomic::{AtomicBool, Ordering};

use runlog::store::postgres::INVARIANTS;
use sqlx::AssertSqlSafe;

use super::sound::sound;
use super::workload::{end, play, until_parked};
use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_database_holds_everything() {
    let ground = Postgres::new().await;
    let report = assert_holds(&ground.pool, &at_once()).await;
    assert_eq!((report.runs, report.checked.len()), (0, INVARIANTS.len()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_found_while_the_engine_works_and_when_all_is_at_rest() {
    let ground = Postgres::new().await;
    let at_work = AtomicBool::new(true);
    let watch = async {
        let mut checks = 0;
        while at_work.load(Ordering::Relaxed) {
            assert_holds(&ground.pool, &Scope::default()).await;
            checks += 1;
        }
        checks
    };
    let work = async {
        let runtime = play(&ground.pool).await;
        until_parked(&ground.pool).await;
        assert_holds(&ground.pool, &at_once()).await;
        end(&runtime).await;
        at_work.store(false, Ordering::Relaxed);
        runtime
    };
    let (checks, runtime) = tokio::join!(watch, work);
    assert!(checks > 5, "{checks} checks are none of a system at work");

    assert_eq!(ground.unfinished().await, 0);
    let report = assert_holds(&ground.pool, &at_once()).await;
    assert!(report.runs > 50, "{}", report.runs);
    runtime.shutdown(Duration::ZERO).await.unwrap();
    assert_holds(&ground.pool, &at_once()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_runs_in_psql_as_it_is_printed() {
    let ground = sound().await;
    for invariant in INVARIANTS {
        let sql = invariant.for_psql(&Scope::default());
        assert!(sql.starts_with("-- ") && !sql.contains('$'), "{sql}");
        let found = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&ground.pool).await.expect(invariant.name);
        assert!(found.is_empty(), "{}", invariant.name);
    }
}

#[test]
fn every_statement_is_listed_by_its_name() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/postgres/verify/sql");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut files: Vec<_> = files.map(|name| name.into_string().unwrap().replace(".sql", "")).collect();
    let mut names: Vec<_> = INVARIANTS.iter().map(|invariant| invariant.name).collect();
    files.sort();
    names.sort();
    assert_eq!(files, names);
}
