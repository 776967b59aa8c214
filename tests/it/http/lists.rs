//! Lists, counts and groups.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use runlog::{Cx, Workflow};

use super::*;

/// Fails with what its input says.
fn failing() -> Workflow<String, ()> {
    async fn code(_cx: Cx, what: String) -> anyhow::Result<()> {
        anyhow::bail!("{what}")
    }
    Workflow::function("failing", code)
}

async fn stage() -> Stage {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(gate()).workflow(failing()).start().await.unwrap();
    Stage { ground, runtime }
}

fn ids(page: &Value) -> Vec<String> {
    let rows = page["data"].as_array().unwrap_or_else(|| panic!("no rows in {page}"));
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_are_paged_by_cursor_while_more_arrive_and_each_comes_once() {
    let stage = stage().await;
    let app = stage.open();
    let mut started = Vec::new();
    for n in 0..7 {
        started.push(start(&app, json!({ "workflow": "gate", "metadata": { "n": n.to_string() } })).await);
    }
    let first = get(&app, "/api/v1/runs?q=workflow:gate&limit=3&count=capped").await;
    let page = first.json();
    assert_eq!((&page["count"], &page["count_capped"]), (&json!(7), &json!(false)));
    assert!(page["window"]["since"].is_string(), "the last day: {page}");
    assert!(page["data"][0].get("input").is_none(), "no payloads in lists");
    let link = first.header("link");
    let next = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).expect(link);
    start(&app, json!({ "workflow": "gate" })).await;
    let (mut seen, mut address) = (ids(&page), next.to_owned());
    loop {
        let page = get(&app, &address).await;
        seen.extend(ids(&page.json()));
        match page.header("link").strip_prefix('<').and_then(|link| link.split_once('>')) {
            Some((next, _)) => next.clone_into(&mut address),
            None => break,
        }
    }
    started.reverse();
    assert_eq!(seen, started, "the newest first, none twice, none of those that came later");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_filter_or_no_cursor_of_it_is_refused_with_its_place() {
    let stage = stage().await;
    let app = stage.open();
    let problem = get(&app, "/api/v1/runs?q=statu:failed").await.assert_problem(400, "invalid_filter");
    assert_eq!((&problem["column"], &problem["suggestion"]), (&json!(1), &json!("status")), "{problem}");
    for _ in 0..2 {
        start(&app, json!({ "workflow": "gate" })).await;
    }
    let page = get(&app, "/api/v1/runs?limit=1").await.json();
    let cursor = page["next"].as_str().unwrap();
    get(&app, &format!("/api/v1/runs?limit=1&cursor={cursor}&q=status:failed"))
        .await
        .assert_problem(400, "cursor_mismatch");
    get(&app, "/api/v1/runs?cursor=abc").await.assert_problem(400, "cursor_mismatch");
    get(&app, "/api/v1/runs?count=all").await.assert_problem(400, "invalid_query");
    get(&app, "/api/v1/tasks?status=DONE").await.assert_problem(400, "invalid_query");
    let long = "a".repeat(2_000);
    get(&app, &format!("/api/v1/runs?q={long}")).await.assert_problem(400, "invalid_filter");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_grouped_by_their_cause_and_counted_by_status() {
    let stage = stage().await;
    let app = stage.open();
    for what in ["no route to bank 17", "no route to bank 18", "out of paper"] {
        let id = start(&app, json!({ "workflow": "failing", "input": what })).await;
        ended(&stage, &id).await;
    }
    let failures = get(&app, "/api/v1/failures").await.json();
    let groups = failures["data"].as_array().unwrap();
    let counts: Vec<u64> = groups.iter().filter_map(|group| group["count"].as_u64()).collect();
    assert_eq!(counts, [2, 1], "{failures}");
    let fingerprint = groups[0]["fingerprint"].as_str().unwrap();
    let page = get(&app, &format!("/api/v1/runs?q=fp:{fingerprint}")).await.json();
    assert_eq!(ids(&page).len(), 2);
    assert_eq!(page["data"][0]["failure"]["fingerprint"], fingerprint);
    let stats = get(&app, "/api/v1/stats?q=workflow:failing").await.json();
    assert_eq!(stats, json!({ "by_status": { "FAILED": 3 }, "total": 3, "capped": false }));
    let tasks = get(&app, "/api/v1/tasks?q=workflow:failing&status=failed&limit=2").await.json();
    assert_eq!(tasks["data"][0]["error_message"], "out of paper");
    assert!(tasks["next"].is_string(), "{tasks}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_shows_one_namespace_and_a_tenant_its_own_alone() {
    let stage = stage().await;
    let (acme, open) = (stage.as_tenant("acme"), stage.open());
    let own = start(&acme, json!({ "workflow": "gate", "key": "secret" })).await;
    let other = start(&open, json!({ "workflow": "gate" })).await;
    assert_eq!(ids(&get(&acme, "/api/v1/runs").await.json()), std::slice::from_ref(&own));
    assert_eq!(ids(&get(&open, "/api/v1/runs").await.json()), std::slice::from_ref(&other));
    assert_eq!(ids(&get(&open, "/api/v1/runs?namespace=acme").await.json()), std::slice::from_ref(&own));
    for list in ["runs", "tasks", "failures", "stats"] {
        let path = format!("/api/v1/{list}?namespace=default");
        get(&acme, &path).await.assert_problem(403, "forbidden");
    }
    for query in [format!("id:{other}"), "key:secret".to_owned(), "status:running".to_owned()] {
        let globex = get(&stage.as_tenant("globex"), &format!("/api/v1/runs?q={query}")).await.json();
        assert_eq!(ids(&globex), Vec::<String>::new(), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prefix_of_an_id_finds_its_run() {
    let stage = stage().await;
    let app = stage.open();
    let id = start(&app, json!({ "workflow": "gate" })).await;
    let page = get(&app, &format!("/api/v1/runs?q=id:{}*", id.split_at(13).0)).await.json();
    let page = if page["data"].is_null() {
        get(&app, &format!("/api/v1/runs?q=id:{}", id.split_at(13).0)).await.json()
    } else {
        page
    };
    assert!(ids(&page).contains(&id), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_tells_what_left_it() {
    let stage = stage().await;
    let app = stage.open();
    let id = start(&app, json!({ "workflow": "gate" })).await;
    let path = "/api/v1/stream?q=status:queued,running%20workflow:gate";
    let response = app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    let mut chunks = response.into_body().into_data_stream();
    let mut told = String::new();
    let mut expect = async |text: String| {
        while !told.contains(&text) {
            let chunk = crate::support::soon("a change", chunks.next()).await.unwrap().unwrap();
            told.push_str(str::from_utf8(&chunk).unwrap());
        }
    };
    expect(format!("\"runs\":[\"{id}\"]")).await;
    post(&app, &format!("/api/v1/runs/{id}/cancel"), "{}").await;
    expect(format!("\"gone\":[\"{id}\"]")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_tells_when_it_changes() {
    let stage = stage().await;
    let app = stage.open();
    let first = start(&app, json!({ "workflow": "gate" })).await;
    let response =
        app.clone().oneshot(Request::get("/api/v1/stream?q=workflow:gate").body(Body::empty()).unwrap());
    let mut chunks = response.await.unwrap().into_body().into_data_stream();
    let mut told = String::new();
    let mut expect = async |id: &str| {
        while !told.contains(id) {
            let chunk = crate::support::soon("a change", chunks.next()).await.unwrap().unwrap();
            told.push_str(str::from_utf8(&chunk).unwrap());
        }
    };
    expect(&first).await;
    let second = start(&app, json!({ "workflow": "gate" })).await;
    expect(&second).await;
    assert_eq!(told.matches(&first).count(), 1, "what has not changed is not told again: {told}");
    let kinds: BTreeSet<&str> = told.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(kinds, BTreeSet::from(["changed"]));
}
