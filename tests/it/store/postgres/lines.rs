//! The last lines among many: which index leads to them, and where the search stops.

use sqlx::types::Uuid;

use runlog::model::RunId;
use runlog::store::{LogQuery, Writings};

use super::*;

/// Lines of one run: more than are looked at. The first hundred are of the task `pay`.
const LINES: i64 = 30_000;

async fn stage() -> (Stage, RunId) {
    let stage = Stage::new().await;
    let run = stage.clock.new_run_id();
    let fill = format!(
        "insert into runlog.log_lines (run_id, n, at, task, attempt, claims, level, target, message, dropped)
         select '{run}', n, now(), case when n <= 100 then 'pay' else 'chat' end, 1, 1, 'INFO', 'app', 'm' || n, 0
         from generate_series(1, {LINES}) n"
    );
    stage.psql(&fill).await.unwrap();
    stage.psql("vacuum analyze runlog.log_lines").await.unwrap();
    (stage, run)
}

#[tokio::test]
async fn the_last_lines_are_led_by_the_primary_key_backward() {
    let (stage, run) = stage().await;
    let explain =
        concat!("explain ", "\n", include_str!("../../../../src/store/postgres/sql/last_lines.sql"));
    let plan: Vec<String> = sqlx::query_scalar(explain)
        .bind::<Uuid>(run.uuid())
        .bind(0_i64)
        .bind(Some("pay"))
        .bind(Some(1_i32))
        .bind("TRACE")
        .bind(10_i64)
        .bind(i64::MAX)
        .bind(20_000_i64)
        .fetch_all(&stage.pool)
        .await
        .unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("Index Scan Backward using log_lines_pkey"), "{plan}");
    assert!(!plan.contains("Seq Scan"), "{plan}");
}

#[tokio::test]
async fn a_search_for_the_last_lines_stops_after_20_000() {
    let (stage, run) = stage().await;
    let read = async |query: LogQuery| {
        let lines = stage.store.lines(run, &query).await.unwrap();
        lines.iter().map(|line| line.n).collect::<Vec<_>>()
    };
    assert_eq!(read(LogQuery::default().last(2)).await, [LINES - 1, LINES]);
    let pay = LogQuery::default().task("pay").last(2);
    assert_eq!(read(pay.clone()).await, [0_i64; 0], "they are 29,900 lines back");
    assert_eq!(read(pay.before(20_051)).await, [99, 100]);
}
