//! What the engine writes is sound, at rest and at work.

use std::sync::atomic::{AtomicBool, Ordering};

use runlog::store::postgres::INVARIANTS;

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
