//! A service that hides values hides them wherever it tells of runs.

mod edited;

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::Request;
use futures_util::StreamExt;
use runlog::model::redaction::REDACTED;
use runlog::{Cx, CxError, Dag, Retry, Runtime, Workflow};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::crawl::crawl_with;
use super::*;
use crate::http::{Stage, ended, get, post};
use crate::support::{Ground, Postgres, gate, soon, until};

/// What nobody may see.
const SECRET: &str = "S3CRET";

/// Where it is.
const PATHS: [&str; 3] = ["$.card", "$.items[*].pin", "$..password"];

/// A value with the secret wherever it is hidden.
fn secrets(of: &str) -> Value {
    json!({
        "what": of,
        "card": format!("{SECRET}-{of}"),
        "items": [{ "n": 1, "pin": { "is": SECRET } }, { "n": 2, "pin": [SECRET] }],
        "deep": { "er": [{ "password": SECRET }] },
    })
}

/// Does whatever puts a value into a log, or beside it; fails where it is told to.
fn vault() -> Workflow<Value, Value> {
    let dag: Dag<Value> = Workflow::dag("vault");
    let open = dag.task("open", |cx: Cx, input: Value| async move {
        cx.log().field("card", SECRET).field("what", "a line").info("the door is open");
        cx.stream("ticks").send(&secrets("chunk")).await?;
        let turn = || std::future::ready(Ok::<_, std::io::Error>(secrets("step")));
        cx.step("turn", turn).input(&input).await?;
        cx.child(&drawer(), secrets("child's input")).await?;
        cx.signal::<Value>("go").await?;
        Ok::<_, CxError>(secrets("task"))
    });
    let close = dag.task_after("close", &open, |cx: Cx, input: Value, _: Value| async move {
        cx.log().field("card", SECRET).warn("about to close");
        let jam = input["jams"] == true;
        let shut = move || {
            std::future::ready(if jam { Err(std::io::Error::other("it jams")) } else { Ok(secrets("shut")) })
        };
        cx.step("shut", shut).input(&input).retry(Retry::none()).await
    });
    dag.output(&close.retry(Retry::none()))
}

fn drawer() -> Workflow<Value, Value> {
    async fn code(_: Cx, _: Value) -> Result<Value, CxError> {
        Ok(secrets("child's output"))
    }
    Workflow::function("drawer", code)
}

/// A service that hides values, and something of everything to hide.
struct Vault {
    stage: Stage,
    app: Router,
    runs: Vec<String>,
    /// Runs that have ended.
    over: Vec<String>,
    failed: String,
    event: String,
    bulk: String,
    /// Whatever was answered to what was done.
    answers: Vec<(String, String)>,
}

fn hiding(runtime: &Runtime) -> Router {
    let routes = runlog::dashboard::router(runtime).redact(PATHS).expect("paths");
    routes.access(|_| Access::all("ada")).into_router()
}

impl Vault {
    async fn done(&mut self, path: &str, body: Value) -> Value {
        let answer = post(&self.app, path, &body.to_string()).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        self.answers.push((format!("POST {path}"), String::from_utf8_lossy(&answer.bytes).into_owned()));
        answer.json()
    }

    async fn start(&mut self, jams: bool) -> String {
        let mut input = secrets("input");
        input["jams"] = json!(jams);
        let started = self.done("/api/v1/runs", json!({ "workflow": "vault", "input": input })).await;
        let id = started["id"].as_str().expect("an id").to_owned();
        self.done(&format!("/api/v1/runs/{id}/signals/go"), json!({ "payload": secrets("signal") })).await;
        ended(&self.stage, &id).await;
        id
    }

    async fn new() -> Vault {
        let ground = Postgres::new().await;
        let builder = ground.builder().workflow(vault()).workflow(drawer()).workflow(gate());
        let runtime = builder.start().await.expect("a runtime");
        let app = hiding(&runtime);
        let stage = Stage { ground, runtime };
        let mut all = Vault {
            stage,
            app,
            runs: Vec::new(),
            over: Vec::new(),
            failed: String::new(),
            event: "evt-1".to_owned(),
            bulk: String::new(),
            answers: Vec::new(),
        };
        let good = all.start(false).await;
        let failed = all.start(true).await;
        let replay = all.done(&format!("/api/v1/runs/{failed}/replay"), json!({ "reason": "again" })).await;
        let replay = replay["run"]["id"].as_str().expect("an id").to_owned();
        ended(&all.stage, &replay).await;
        let child = get(&all.app, &format!("/api/v1/runs/{good}")).await.json();
        let child = child["children"][0]["id"].as_str().expect("a child").to_owned();

        let nightly = json!({ "name": "nightly", "workflow": "drawer", "cron": "30 2 * * *", "input": secrets("schedule") });
        all.done("/api/v1/schedules", nightly).await;
        all.done("/api/v1/schedules/nightly/pause", json!({})).await;
        let fired = all.done("/api/v1/schedules/nightly/trigger", json!({})).await;
        let fired = fired["id"].as_str().expect("an id").to_owned();
        let subscription = json!({ "name": "drawers", "key": "opened", "workflow": "drawer" });
        all.done("/api/v1/subscriptions", subscription).await;
        let event = json!({ "id": all.event, "key": "opened", "payload": secrets("event") });
        let pushed = all.done("/api/v1/events", event).await;
        let pushed = pushed["outcomes"][0]["run"].as_str().expect("a run").to_owned();
        for id in [&fired, &pushed] {
            ended(&all.stage, id).await;
        }
        let waiting =
            all.done("/api/v1/runs", json!({ "workflow": "gate", "input": secrets("waiting") })).await;
        let waiting = waiting["id"].as_str().expect("an id").to_owned();
        let many = json!({ "action": "replay", "ids": [failed, good], "dry_run": true });
        all.done("/api/v1/bulk", many).await;
        let bulk =
            all.done("/api/v1/bulk", json!({ "action": "cancel", "ids": [good], "reason": "no" })).await;
        all.bulk = bulk["id"].as_str().expect("an id").to_owned();
        let lines = "select count(*) from runlog.log_lines";
        until("the lines are written", async || all.stage.ground.count(lines).await >= 5).await;
        all.over = vec![good, failed.clone(), replay, child, fired, pushed];
        all.runs = all.over.iter().cloned().chain([waiting]).collect();
        all.failed = failed;
        all
    }

    /// Every address of a route.
    fn addresses(&self, route: &Route) -> Vec<String> {
        let path = route.path;
        let ids = match path {
            _ if path.contains("/bulk/{id}") => std::slice::from_ref(&self.bulk),
            _ if path.contains("/events/{id}") => std::slice::from_ref(&self.event),
            // A stream of a run that goes on does not end, and one that goes on is not replayed.
            _ if path.ends_with("/stream") || path.ends_with("/replay") => &self.over,
            _ => &self.runs,
        };
        let names: &[&str] = match path {
            _ if path.contains("/tasks/{name}") => &["open", "close", "drawer"],
            _ if path.contains("/streams/{name}") => &["ticks"],
            _ if path.contains("/schedules/{name}") => &["nightly"],
            _ => &["vault"],
        };
        let mut found = vec![path.replace("{workflow}", "vault")];
        let fill = |found: Vec<String>, variable: &str, with: &[&str]| -> Vec<String> {
            let each = |path: String| match path.contains(variable) {
                true => with.iter().map(|value| path.replace(variable, value)).collect(),
                false => vec![path],
            };
            found.into_iter().flat_map(each).collect()
        };
        found = fill(found, "{id}", &ids.iter().map(String::as_str).collect::<Vec<_>>());
        found = fill(found, "{name}", names);
        let seqs: Vec<String> = (1..40).map(|seq| seq.to_string()).collect();
        found = fill(found, "{seq}", &seqs.iter().map(String::as_str).collect::<Vec<_>>());
        let queries: Vec<String> = match path {
            _ if path.ends_with("/diff") => {
                self.runs.iter().map(|run| format!("?with={run}")).chain(["".to_owned()]).collect()
            }
            _ if path.ends_with("/state") => seqs.iter().map(|seq| format!("?at={seq}")).collect(),
            "/runs/{id}/replay" => vec!["?edit=1".to_owned(), "?from=start".to_owned()],
            "/bulk" => vec!["?action=replay&q=workflow:vault".to_owned()],
            _ => vec![String::new()],
        };
        found.iter().flat_map(|path| queries.iter().map(move |query| format!("{path}{query}"))).collect()
    }

    /// Asks, and reads the answer; of the one stream without an end its beginning.
    async fn text(&self, address: &str) -> (u16, String) {
        let request = Request::get(address).body(Body::empty()).expect("a request");
        let answer = self.app.clone().oneshot(request).await.expect("an answer");
        let status = answer.status().as_u16();
        let body = answer.into_body();
        let bytes = if address == "/api/v1/stream" {
            soon("its first words", body.into_data_stream().next())
                .await
                .expect("words")
                .expect("words")
                .to_vec()
        } else {
            soon(address, axum::body::to_bytes(body, 64 << 20)).await.expect("a body").to_vec()
        };
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The routes whose answers hold no value of users'. Whoever adds a route decides: it is here, or it hides. The description of
/// the interface speaks of what hidden values look like.
const WITHOUT: &[&str] = &[
    "/",
    "/about",
    "/assets/{name}",
    "/audit",
    "/bulk",
    "/bulk/{id}",
    "/columns",
    "/failures",
    "/healthz",
    "/limits",
    "/metrics",
    "/nodes",
    "/readyz",
    "/runs",
    "/runs/{id}/cancel",
    "/runs/{id}/signal",
    "/schedules",
    "/stats",
    "/stats.svg",
    "/suggest",
    "/workflows",
    "/workflows/{name}",
    "/api/v1/audit",
    "/api/v1/bulk/{id}",
    "/api/v1/bulk/{id}/items",
    "/api/v1/failures",
    "/api/v1/limits",
    "/api/v1/limits/{workflow}/keys",
    "/api/v1/nodes",
    "/api/v1/retention",
    "/api/v1/runs",
    "/api/v1/runs/{id}/graph",
    "/api/v1/runs/{id}/streams",
    "/api/v1/runs/{id}/trace",
    "/api/v1/stats",
    "/api/v1/stream",
    "/api/v1/subscriptions",
    "/api/v1/tasks",
    "/api/v1/traces/export",
    "/api/v1/workflows",
    "/api/v1/runs/{id}/tasks",
    "/api/v1/runs/{id}/tasks/{name}/attempts",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_route_tells_what_is_hidden_and_each_says_that_it_hides() {
    let vault = Vault::new().await;
    for (what, text) in &vault.answers {
        assert!(!text.contains(SECRET), "{what}: {text}");
    }
    // The hashes of what is hidden would tell of it, too.
    let open = runlog::http::router(&vault.stage.runtime).allow_all_insecure().into_router();
    let events = get(&open, &format!("/api/v1/runs/{}/events?limit=500", vault.failed)).await;
    let events = String::from_utf8(events.bytes).expect("text");
    assert!(events.contains(SECRET), "they are in the log");
    let hashes: BTreeSet<&str> =
        events.split("\"input_hash\":\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(hashes.len() >= 2, "{hashes:?}");
    let mut says: BTreeMap<&str, usize> = BTreeMap::new();
    for route in PAGES.iter().chain(ROUTES).filter(|route| route.method == Method::GET) {
        let mut well = 0;
        for address in vault.addresses(route) {
            let (status, text) = vault.text(&address).await;
            assert!(status < 500, "{address}: {status} {text}");
            well += usize::from(status < 400);
            let told = std::iter::once(&SECRET).chain(&hashes).find(|secret| text.contains(**secret));
            assert!(told.is_none(), "{address} tells {told:?}: {text}");
            *says.entry(route.path).or_default() += usize::from(text.contains(REDACTED));
        }
        assert!(well > 0 || route.path == "/assets/{name}", "{} was never answered", route.path);
    }
    let silent: Vec<&str> = says.iter().filter(|(_, says)| **says == 0).map(|(path, _)| *path).collect();
    let expected: BTreeSet<&str> = WITHOUT.iter().copied().collect();
    assert_eq!(silent.into_iter().collect::<BTreeSet<_>>(), expected, "routes without a hidden value");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_click_leads_to_tells_what_is_hidden() {
    let vault = Vault::new().await;
    let (mut pages, mut says) = (0, 0);
    let found = crawl_with(&vault.app, "", &mut |page| {
        assert!(!page.text.contains(SECRET), "{page:?}");
        pages += 1;
        says += usize::from(page.text.contains(REDACTED));
    })
    .await;
    assert!(found.routes.len() > 15 && pages > 80 && says > 20, "{pages} pages, {says} hide something");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_is_what_it_is_measured_by() {
    let vault = Vault::new().await;
    let path = format!("/api/v1/runs/{}/input", vault.failed);
    let hidden = get(&vault.app, &path).await;
    let open = runlog::http::router(&vault.stage.runtime).allow_all_insecure().into_router();
    let whole = get(&open, &path).await;
    let (text, original) =
        (String::from_utf8(hidden.bytes.clone()).unwrap(), String::from_utf8(whole.bytes.clone()).unwrap());
    let redaction = runlog::model::Redaction::of(PATHS).expect("paths");
    assert_eq!(Some(text), redaction.hidden(&original), "the rest byte for byte");
    assert_ne!(hidden.header("etag"), whole.header("etag"));
    let shown = get(&vault.app, &format!("/api/v1/runs/{}", vault.failed)).await.json();
    assert_eq!(shown["input_bytes"], json!(hidden.bytes.len()), "{shown}");
    let request =
        Request::get(&path).header("if-none-match", hidden.header("etag")).body(Body::empty()).unwrap();
    assert_eq!(vault.app.clone().oneshot(request).await.unwrap().status(), 304);
    let request =
        Request::get(&path).header("if-none-match", whole.header("etag")).body(Body::empty()).unwrap();
    assert_eq!(vault.app.clone().oneshot(request).await.unwrap().status(), 200, "a guess is not confirmed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_hidden_is_not_called_the_same() {
    let vault = Vault::new().await;
    let one = json!({ "workflow": "drawer", "input": { "card": "S3CRET-1", "n": 1 } });
    let other = json!({ "workflow": "drawer", "input": { "card": "S3CRET-2", "n": 1 } });
    let mut ids = Vec::new();
    for body in [one, other] {
        let started = post(&vault.app, "/api/v1/runs", &body.to_string()).await;
        ids.push(started.text("id"));
        ended(&vault.stage, &ids[ids.len() - 1]).await;
    }
    let path = format!("/runs/{}/diff?with={}", ids[1], ids[0]);
    let diff = get(&vault.app, &format!("/api/v1{path}")).await.json();
    assert_eq!(
        (&diff["redacted"], &diff["start"]["input"]["redacted"]),
        (&json!(true), &json!(true)),
        "{diff}"
    );
    assert_eq!(diff["start"]["input"]["total"], 0, "nor is told that they differ: that would answer a guess");
    let page = visit(&vault.app, &path).await;
    page.assert_says("Values that are hidden as ‹redacted› are not compared.");
    page.assert_says("the same, but for what is hidden");
    let open = runlog::http::router(&vault.stage.runtime).allow_all_insecure().into_router();
    let diff = get(&open, &format!("/api/v1{path}")).await.json();
    assert_eq!((&diff["redacted"], &diff["start"]["input"]["total"]), (&json!(false), &json!(1)), "{diff}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_says_that_values_are_hidden_and_its_run_is_not_replayed_with_what_is_not_there() {
    let vault = Vault::new().await;
    let export = get(&vault.app, &format!("/api/v1/runs/{}/export", vault.failed)).await;
    let text = String::from_utf8(export.bytes).expect("text");
    assert!(text.lines().next().is_some_and(|header| header.contains("\"redacted\":true")), "{text}");
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(vault_of_dev()).start().await.expect("a runtime");
    let app = runlog::http::router(&runtime).allow_all_insecure().into_router();
    let request = Request::post("/api/v1/import").header("content-type", "application/jsonl");
    let answer = crate::http::send(&app, request.body(Body::from(text)).expect("a request")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["data"][0]["redacted"], true, "{answer:?}");
    let path = format!("/api/v1/runs/{}/replay", vault.failed);
    for body in [json!({}), json!({ "from": "start" }), json!({ "input": { "card": REDACTED } })] {
        let refused = post(&app, &path, &body.to_string()).await.assert_problem(409, "run_not_replayable");
        let detail = refused["detail"].as_str().expect("a detail");
        assert!(detail.contains("values of it were hidden where it was exported"), "{detail}");
    }
    let whole = json!({ "input": { "card": "4242" } });
    assert_eq!(post(&app, &path, &whole.to_string()).await.status, 202, "written out");
}

/// The workflow as a developer's database has it: nothing of it runs there.
fn vault_of_dev() -> Workflow<Value, Value> {
    async fn code(_: Cx, input: Value) -> Result<Value, CxError> {
        Ok(input)
    }
    Workflow::function("vault", code).version("dev")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_was_kept_before_values_were_hidden_is_not_given_again() {
    let vault = Vault::new().await;
    let open = runlog::http::router(&vault.stage.runtime).access(|_| Access::all("ada")).into_router();
    let body = json!({ "workflow": "drawer", "input": secrets("kept") }).to_string();
    let request = || {
        crate::http::posting("/api/v1/runs").header("idempotency-key", "k-1").body(Body::from(body.clone()))
    };
    let first = crate::http::send(&open, request().unwrap()).await;
    assert!(first.status == 201 && String::from_utf8_lossy(&first.bytes).contains(SECRET), "{first:?}");
    let second = crate::http::send(&vault.app, request().unwrap()).await;
    second.assert_problem(422, "idempotency_mismatch");
    assert!(!String::from_utf8_lossy(&second.bytes).contains(SECRET), "{second:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_that_would_answer_guesses_is_refused() {
    let vault = Vault::new().await;
    let subscribe = async |filter: &str| {
        let body = json!({ "name": "asks", "key": "opened", "workflow": "drawer", "filter": filter, "replace": true });
        post(&vault.app, "/api/v1/subscriptions", &body.to_string()).await
    };
    for (filter, why) in [
        ("payload.card == 'S3CRET'", "it speaks of \"card\", which $.card hides"),
        ("payload['card'].startsWith('S')", "it speaks of \"card\", which $.card hides"),
        ("has(payload.card)", "it speaks of \"card\", which $.card hides"),
        ("payload.items.exists(one, one.pin == 1)", "it speaks of \"pin\", which $.items[*].pin hides"),
        ("payload.a.b.password.size() > 3", "it speaks of \"password\", which $..password hides"),
        ("payload == {'card': 1}", "it speaks of \"card\", which $.card hides"),
        ("payload['ca' + 'rd'] == 1", "it makes a name while it is evaluated"),
        ("payload[metadata.of] == 1", "it makes a name while it is evaluated"),
        ("payload == {key: 1}", "it makes a name while it is evaluated"),
    ] {
        let refused = subscribe(filter).await.assert_problem(422, "schema_violation");
        let detail = refused["detail"].as_str().expect("a detail");
        assert!(
            detail.starts_with(&format!("/filter: it could tell of values that this service hides: {why}")),
            "{detail}"
        );
    }
    for filter in [
        "payload.n > 3 && payload.items[0].n == 1",
        "metadata.card == 'x'",
        "key == 'card'",
        "payload.items.size() > 2",
    ] {
        let answer = subscribe(filter).await;
        assert!(answer.status.is_success(), "{filter}: {answer:?}");
    }
    // There is none over inputs and outputs at all.
    get(&vault.app, "/api/v1/runs?q=input.card:S3CRET").await.assert_problem(400, "invalid_filter");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_cannot_be_read_makes_no_router() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(drawer()).start().await.expect("a runtime");
    let routes = runlog::dashboard::router(&runtime).redact(["$.card", "$.items[?(@.pin)]"]);
    let error = routes.err().expect("a filter is none");
    assert_eq!(
        error.to_string(),
        "the path \"$.items[?(@.pin)]\" cannot be used: character 9: expected a name in quotes, a place from 0, or *; slices, \
         filters and places from the end are not known here"
    );
}
