//! Reading logs.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_paged_without_a_hole() {
    let stage = Stage::new().await;
    let id = echoed(&stage, "1").await;
    let app = stage.open();
    let (mut seen, mut after) = (Vec::new(), "0".to_owned());
    loop {
        let page = get(&app, &format!("/api/v1/runs/{id}/events?limit=2&after={after}")).await.json();
        seen.extend(page["data"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
    }
    let seqs: Vec<u64> = seen.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert_eq!(seqs, (1..=seen.len() as u64).collect::<Vec<_>>());
    let kinds: Vec<&str> = seen.iter().filter_map(|event| event["kind"].as_str()).collect();
    assert_eq!(kinds[0], "run_created");
    assert_eq!(kinds.last(), Some(&"run_succeeded"));
    let step = kinds.iter().position(|kind| *kind == "step_completed").expect("a step");
    let one = get(&app, &format!("/api/v1/runs/{id}/events/{}", step + 1)).await.json();
    assert_eq!(one, seen[step]);
    assert_eq!(one["op"], "echo#0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_filtered_by_kind_and_an_unknown_kind_is_refused() {
    let stage = Stage::new().await;
    let id = echoed(&stage, "1").await;
    let app = stage.open();
    let path = format!("/api/v1/runs/{id}/events");
    let page = get(&app, &format!("{path}?kind=run_created,step_completed")).await.json();
    let kinds: Vec<&str> =
        page["data"].as_array().unwrap().iter().filter_map(|e| e["kind"].as_str()).collect();
    assert_eq!(kinds, ["run_created", "step_completed"]);
    get(&app, &format!("{path}?kind=run_exploded")).await.assert_problem(400, "invalid_query");
    for query in [
        "after=2147483648",
        "limit=0",
        "limit=501",
        "limit=x",
        "after=-1",
        "after=1&after=2",
        "colour=red",
        "after=%ff",
    ] {
        get(&app, &format!("{path}?{query}")).await.assert_problem(400, "invalid_query");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_value_is_left_out_of_a_list_and_whole_in_its_event() {
    let stage = Stage::new().await;
    let large = format!("\"{}\"", "x".repeat(100_000));
    let id = echoed(&stage, &large).await;
    let app = stage.open();
    let page = get(&app, &format!("/api/v1/runs/{id}/events")).await.json();
    assert_eq!(page["data"][0]["data"]["input"], json!({ "$omitted": { "bytes": 100_002 } }));
    let whole = get(&app, &format!("/api/v1/runs/{id}/events/1")).await.json();
    assert_eq!(whole["data"]["input"].to_string(), large);
    let run = get(&app, &format!("/api/v1/runs/{id}")).await.json();
    assert_eq!((&run["input"], &run["input_bytes"]), (&Value::Null, &json!(100_002)));
    assert!(run.get("input").is_none(), "left out, not null");
}
