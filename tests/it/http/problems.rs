//! Refusals.

use std::collections::BTreeSet;

use runlog::http::Code;

use super::*;

#[test]
fn every_code_is_documented_and_none_that_does_not_exist() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/API.md")).expect("docs/API.md");
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .filter_map(|(code, rest)| Some((code.to_owned(), rest.split(' ').next()?.parse::<u16>().ok()?)));
    let documented: BTreeSet<(String, u16)> = rows.collect();
    let codes: BTreeSet<(String, u16)> =
        Code::ALL.iter().map(|code| (code.as_str().to_owned(), code.status())).collect();
    assert_eq!(documented, codes, "the table in docs/API.md");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_problem_names_its_place_and_its_request() {
    let stage = Stage::new().await;
    let app = Router::new().nest("/admin/runlog", stage.open());
    let request = Request::get("/admin/runlog/api/v1/runs/x?").header("x-request-id", "trace-7");
    let problem = send(&app, request.body(Body::empty()).unwrap()).await.assert_problem(404, "run_not_found");
    assert_eq!(problem["instance"], "/admin/runlog/api/v1/runs/x");
    assert_eq!(problem["request_id"], "trace-7");
    let spoiled = Request::get("/admin/runlog/api/v1/runs/x").header("x-request-id", "a b");
    let problem = send(&app, spoiled.body(Body::empty()).unwrap()).await.assert_problem(404, "run_not_found");
    assert_eq!(problem["request_id"].as_str().unwrap().len(), 16, "one of our own");
    get(&app, "/admin/runlog/nowhere").await.assert_problem(404, "not_found");
    get(&app, "/admin/runlog/api/v1/nowhere").await.assert_problem(404, "not_found");
    let answer = post(&app, "/admin/runlog/api/v1/workflows", "{}").await;
    answer.assert_problem(405, "method_not_allowed");
    assert!(answer.header("allow").contains("GET"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_takes_too_long_is_stopped_and_the_engine_goes_on() {
    let stage = Stage::new().await;
    let id = echoed(&stage, "1").await;
    let app = stage.open();
    assert_eq!(get(&app, &format!("/api/v1/runs/{id}")).await.status, 200);
    let mut locked = stage.ground.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table runlog.runs in access exclusive mode").execute(&mut *locked).await.unwrap();
    let began = tokio::time::Instant::now();
    let problem = get(&app, &format!("/api/v1/runs/{id}")).await.assert_problem(503, "query_timed_out");
    assert!(began.elapsed().as_secs_f64() > 4.0, "after its five seconds: {problem}");
    locked.rollback().await.unwrap();
    assert_eq!(get(&app, &format!("/api/v1/runs/{id}")).await.status, 200);
}
