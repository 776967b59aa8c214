//! Bearer tokens.

use std::time::Duration;

use runlog::http::{Action, Grant, TokenError, Tokens};

use super::*;

async fn tokens(stage: &Stage) -> Tokens {
    Tokens::open(&stage.ground.pool).await.expect("the tokens")
}

async fn with(app: &Router, token: &str, path: &str) -> Answer {
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    send(app, request.body(Body::empty()).unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_allows_what_it_says_in_its_namespace_and_is_named_as_the_doer() {
    let stage = Stage::new().await;
    let tokens = tokens(&stage).await;
    let app = router(&stage.runtime).bearer_tokens().into_router();
    let acme = Namespace::new("acme").unwrap();
    let grant = Grant::new("acme-ci", [Action::Read, Action::Start, Action::Cancel]).in_namespace(acme);
    let secret = tokens.create(grant).await.unwrap().secret;
    let bearer = format!("Bearer {secret}");
    let start = posting("/api/v1/runs").header("authorization", &bearer);
    let started = send(&app, start.body(Body::from(r#"{"workflow":"gate","input":1}"#)).unwrap()).await;
    assert_eq!(started.status, 201, "{started:?}");
    let run = started.json();
    assert_eq!((&run["namespace"], &run["trigger"]["by"]), (&json!("acme"), &json!("acme-ci")));
    assert!(run.get("input").is_none(), "it may not read payloads");
    let id = started.text("id");
    with(&app, &secret, &format!("/api/v1/runs/{id}/input")).await.assert_problem(403, "forbidden");

    let other =
        tokens.create(Grant::new("other", Action::ALL.to_vec()).in_namespace(Namespace::new("b").unwrap()));
    let other = other.await.unwrap().secret;
    with(&app, &other, &format!("/api/v1/runs/{id}")).await.assert_problem(404, "run_not_found");
    assert_eq!(with(&app, &secret, &format!("/api/v1/runs/{id}")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_wrong_revoked_or_expired_is_refused_at_once() {
    let stage = Stage::new().await;
    let tokens = tokens(&stage).await;
    let app = router(&stage.runtime).bearer_tokens().into_router();
    let path = "/api/v1/workflows";
    get(&app, path).await.assert_problem(401, "unauthenticated");
    let secret = tokens.create(Grant::new("ci", [Action::Read])).await.unwrap().secret;
    assert_eq!(with(&app, &secret, path).await.status, 200);
    let twisted: String = secret.chars().rev().collect();
    let other = tokens.create(Grant::new("other", [Action::Read])).await.unwrap().secret;
    let spliced = format!("{}{}", secret.split_at(11).0, other.split_at(11).1);
    for wrong in [
        "",
        "rl_",
        "x",
        &twisted,
        &spliced,
        secret.split_at(secret.len() - 1).0,
        &format!("{secret}0"),
        &"rl_é".repeat(20),
    ] {
        let request = Request::get(path).header("authorization", format!("Bearer {wrong}").as_bytes());
        send(&app, request.body(Body::empty()).unwrap()).await.assert_problem(401, "unauthenticated");
    }
    let basic = Request::get(path).header("authorization", format!("Basic {secret}"));
    send(&app, basic.body(Body::empty()).unwrap()).await.assert_problem(401, "unauthenticated");

    assert!(tokens.revoke("ci").await.unwrap());
    with(&app, &secret, path).await.assert_problem(401, "unauthenticated");
    let brief = Grant::new("ci", [Action::Read]).lives(Duration::from_millis(1));
    let brief = tokens.create(brief).await.expect("the name is free again").secret;
    tokio::time::sleep(Duration::from_millis(20)).await;
    with(&app, &brief, path).await.assert_problem(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_kept_as_a_hash_and_shown_once() {
    let stage = Stage::new().await;
    let tokens = tokens(&stage).await;
    let made = tokens.create(Grant::new("ci", [Action::Read])).await.unwrap();
    let secret = &made.secret;
    assert!(secret.starts_with("rl_") && secret.len() == 52 && secret.is_ascii(), "{secret}");
    assert!(!format!("{made:?}").contains(secret.split_at(12).1), "a debug print shows no secret");
    let dump = "select string_agg(t::text, ' ') from runlog.tokens t";
    let dump: String = sqlx::query_scalar(dump).fetch_one(&stage.ground.pool).await.unwrap();
    assert!(!dump.contains(secret.split_at(12).1) && dump.contains(secret.split_at(11).0), "{dump}");

    let listed = tokens.list().await.unwrap();
    assert_eq!(
        (listed.len(), listed[0].prefix.as_str(), listed[0].used_at),
        (1, secret.split_at(11).0, None)
    );
    let app = router(&stage.runtime).bearer_tokens().into_router();
    with(&app, secret, "/api/v1/workflows").await;
    assert!(tokens.list().await.unwrap()[0].used_at.is_some(), "its use is noted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_cannot_be_is_refused() {
    let stage = Stage::new().await;
    let tokens = tokens(&stage).await;
    tokens.create(Grant::new("ci", [Action::Read])).await.unwrap();
    let taken = tokens.create(Grant::new("ci", [Action::Read])).await;
    assert!(matches!(taken, Err(TokenError::Taken { .. })), "{taken:?}");
    let empty = tokens.create(Grant::new("none", [])).await;
    assert!(matches!(empty, Err(TokenError::NoActions)), "{empty:?}");
    let unnamed = tokens.create(Grant::new("", [Action::Read])).await;
    assert!(matches!(unnamed, Err(TokenError::Name(_))), "{unnamed:?}");
    let short = tokens.create(Grant::new("x", [Action::Read]).lives(Duration::ZERO)).await;
    assert!(matches!(short, Err(TokenError::Lives { .. })), "{short:?}");
    assert!(!tokens.revoke("nobody").await.unwrap());
    assert!("fly".parse::<Action>().is_err());
}
