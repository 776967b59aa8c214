//! Who may do what.

use runlog::http::{Action, ROUTES};

use super::*;

/// Fills the variables of a route's path.
fn filled(path: &str, id: &str) -> String {
    path.replace("{id}", id).replace("{name}", "gate").replace("{seq}", "1")
}

async fn ask(app: &Router, method: &Method, path: &str) -> Answer {
    let body = if *method == Method::GET { Body::empty() } else { Body::from("{}") };
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let request = request.body(body).expect("a request");
    // The list's stream has no end: that it begins is its answer.
    let endless = path == "/api/v1/stream";
    if !endless {
        return send(app, request).await;
    }
    let (parts, body) = app.clone().oneshot(request).await.expect("an answer").into_parts();
    let bytes = match parts.status.is_success() {
        true => Vec::new(),
        false => axum::body::to_bytes(body, 1 << 20).await.expect("a problem").to_vec(),
    };
    Answer { status: parts.status, headers: parts.headers, bytes }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_asks_for_its_action_and_for_no_other() {
    let stage = Stage::new().await;
    let id = echoed(&stage, "1").await;
    for route in ROUTES {
        let path = filled(route.path, &id);
        let nobody = ask(&stage.as_caller(Access::unauthenticated()), &route.method, &path).await;
        let Some(action) = route.action else {
            assert!(nobody.status.is_success(), "{path} is for everybody: {nobody:?}");
            continue;
        };
        nobody.assert_problem(401, "unauthenticated");
        assert_eq!(nobody.header("www-authenticate"), "Bearer");
        let without = stage.as_caller(Access::all("ada").deny(action));
        let refused = ask(&without, &route.method, &path).await.assert_problem(403, "forbidden");
        assert_eq!(refused["action"], action.as_str(), "{path}");
        let with = ask(&stage.as_caller(Access::none("ada").allow(action)), &route.method, &path).await;
        assert!(with.status != 403 && with.status != 401 && with.status.as_u16() < 500, "{path}: {with:?}");
        for other in Action::ALL.iter().filter(|other| **other != action) {
            let wrong = stage.as_caller(Access::none("ada").allow(*other));
            ask(&wrong, &route.method, &path).await.assert_problem(403, "forbidden");
        }
    }
}

#[test]
fn every_described_route_is_in_the_table_with_its_parameters() {
    let document: Value = serde_json::from_str(&runlog::http::openapi()).expect("the document");
    let mut described = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let query = parameters.iter().filter(|parameter| parameter["in"] == "query");
            let mut names: Vec<String> =
                query.filter_map(|parameter| Some(parameter["name"].as_str()?.to_owned())).collect();
            names.sort();
            described.push((method.to_uppercase(), path.clone(), names));
        }
    }
    let row = |route: &runlog::http::Route| {
        let mut names: Vec<String> = route.params.iter().map(|name| (*name).to_owned()).collect();
        names.sort();
        (route.method.to_string(), route.path.to_owned(), names)
    };
    let mut table: Vec<_> = ROUTES.iter().map(row).collect();
    table.sort();
    described.sort();
    assert_eq!(table, described);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_of_another_namespace_does_not_exist_and_nothing_changes() {
    let stage = Stage::new().await;
    let acme = stage.as_tenant("acme");
    let running = start(&acme, json!({ "workflow": "gate", "input": "secret" })).await;
    let done = start(&acme, json!({ "workflow": "echo", "input": "secret" })).await;
    ended(&stage, &done).await;
    let globex = stage.as_tenant("globex");
    let state = "select sum(hashtext(r::text)) + (select count(*) from runlog.events)
                 + (select count(*) from runlog.inbox) from runlog.runs r";
    crate::support::until("it waits", async || {
        !get(&acme, &format!("/api/v1/runs/{running}")).await.json()["waiting"][0].is_null()
    })
    .await;
    stage
        .runtime
        .shutdown(std::time::Duration::ZERO)
        .await
        .expect("a shutdown: nothing moves by itself any more");
    let before = stage.ground.count(state).await;
    for route in ROUTES.iter().filter(|route| route.path.contains("/runs/{id}")) {
        for id in [&running, &done] {
            let answer = ask(&globex, &route.method, &filled(route.path, id)).await;
            answer.assert_problem(404, "run_not_found");
            let text = String::from_utf8(answer.bytes).expect("text");
            assert!(!text.contains("secret") && !text.contains("acme"), "{text}");
        }
    }
    assert_eq!(stage.ground.count(state).await, before, "nothing changed");
    assert_eq!(get(&acme, &format!("/api/v1/runs/{running}")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_site_changes_nothing() {
    let stage = Stage::new().await;
    let app = stage.open();
    let from = |headers: &[(&str, &str)]| {
        let request = posting("/api/v1/runs").header("host", "ops.example");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(Body::from(r#"{"workflow":"gate"}"#)).unwrap()
    };
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://ops.example")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "https://ops.example.evil.example")],
    ] {
        send(&app, from(headers)).await.assert_problem(403, "cross_site");
    }
    assert_eq!(stage.ground.count("select count(*) from runlog.runs").await, 0);
    for headers in [
        &[][..],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://ops.example")],
        &[("origin", "https://evil.example"), ("authorization", "Bearer x")],
    ] {
        assert_eq!(send(&app, from(headers)).await.status, 201, "{headers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedder_decides_by_what_its_own_middleware_found() {
    let stage = Stage::new().await;
    #[derive(Clone)]
    struct User(&'static str);
    let decide = |request: &axum::http::request::Parts| match request.extensions.get::<User>() {
        Some(User(name)) => Access::read_only(*name),
        None => Access::unauthenticated(),
    };
    let app = router(&stage.runtime).access(decide).into_router();
    get(&app, "/api/v1/workflows").await.assert_problem(401, "unauthenticated");
    let known = Router::new().nest("/x", app).layer(axum::Extension(User("ada")));
    assert_eq!(get(&known, "/x/api/v1/workflows").await.status, 200);
    post(&known, "/x/api/v1/runs", "{}").await.assert_problem(403, "forbidden");
}
