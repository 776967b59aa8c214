//! Pages without anything to show, and pages that cannot be shown.

use std::time::Duration;

use runlog::testing::postgres::{Durability, Server};
use sqlx::Connection;
use sqlx::postgres::PgPoolOptions;

use super::sound::assert_sound;
use super::*;
use crate::http::{Stage, start};
use crate::support::{Ground, Postgres, damage, echo, gate, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_database_says_how_to_begin() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().client().start().await.unwrap();
    let app = runlog::dashboard::router(&runtime).allow_all_insecure().into_router();
    for (address, words) in [
        ("/runs", &["No runs yet", "runtime.run(&checkout(), order).start()", "runlog start checkout"][..]),
        ("/failures", &["Nothing failed", "24 hours"]),
        ("/stats", &["No run ended"]),
        ("/workflows", &["None yet: a node that serves one makes it known"]),
        ("/schedules", &["None.", "runlog cron"]),
        ("/limits", &["None: a workflow declares one"]),
        ("/audit", &["Nobody did anything yet"]),
        ("/about", &["Release"]),
        ("/nodes", &["Nodes"]),
    ] {
        let page = visit(&app, address).await;
        assert_eq!(page.status, 200, "{page:?}");
        assert_sound(&page);
        for piece in words {
            page.assert_says(piece);
        }
    }
    let page = visit(&app, "/runs").await;
    assert!(page.links().iter().any(|link| link.starts_with("/api/v1/stream")), "it waits for the first one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_that_finds_nothing_names_itself_and_leads_on() {
    let world = World::new().await;
    let app = world.open();
    let page = visit(&app, "/runs?q=workflow:none%20since:1h").await;
    page.assert_says("No runs match");
    page.assert_says("No run matches workflow:none since:1h in the time that was searched");
    page.assert_says("Created since");
    assert_eq!(page.value("#q"), "workflow:none since:1h");
    let links = page.links();
    let wider = links.iter().find(|link| link.contains("since%3A30d")).expect("a wider one");
    assert_eq!(visit(&app, wider).await.status, 200, "{wider}");
    assert!(links.contains("/runs"), "and one without");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_that_is_none_is_kept_and_explained() {
    let world = World::new().await;
    let app = world.open();
    for path in ["/runs", "/failures"] {
        for (typed, words) in [
            ("statu:failed", "statu"),
            ("status:flying", "flying"),
            ("workflow:\"open", ""),
            ("since:yesterday", ""),
            ("<b>:x", ""),
        ] {
            let page = visit(&app, &format!("{path}?q={}", page::escaped(typed))).await;
            assert_eq!(page.status, 400, "{page:?}");
            assert_sound(&page);
            assert_eq!(page.value("#q"), typed, "what was typed is kept");
            assert!(page.one("[role=alert]").contains(words), "{page:?}");
        }
    }
    let page = visit(&app, "/runs?q=statu:failed").await;
    assert!(page.one("[role=alert]").contains("status"), "it says what is near: {page:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_not_there_may_have_been_removed() {
    let world = World::new().await;
    let page = visit(&world.open(), "/runs/0198f3a2-0000-7000-8000-000000000000").await;
    assert_eq!(page.status, 404);
    page.assert_says("0198f3a2-0000-7000-8000-000000000000");
    page.assert_says("retention");
    assert!(page.links().contains("/runs"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_did_not_happen_yet_is_said() {
    let world = World::new().await;
    let app = world.open();
    let held = visit(&app, &format!("/runs/{}", world.held)).await;
    held.assert_says("its tasks are not known");
    held.assert_says("It wrote no line.");
    held.assert_says("None: it is QUEUED.");
    let never = visit(&app, &format!("/runs/{}/tasks/ship", world.failed)).await;
    never.assert_says("⊘ cancelled ship");
    never.assert_says("None yet.");
    let none = visit(&app, &format!("/runs/{}/tasks/none", world.failed)).await;
    assert_eq!(none.status, 404, "{none:?}");
    assert_sound(&none);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_takes_too_long_is_ended_and_a_page_says_so() {
    let stage = Stage::new().await;
    let app = runlog::dashboard::router(&stage.runtime).allow_all_insecure().into_router();
    let id = start(&stage.open(), serde_json::json!({ "workflow": "gate" })).await;
    assert_eq!(visit(&app, "/runs").await.status, 200);
    let mut other = sqlx::PgConnection::connect(&stage.ground.url).await.unwrap();
    let mut lock = other.begin().await.unwrap();
    sqlx::query("lock table runlog.runs in access exclusive mode").execute(&mut *lock).await.unwrap();
    for path in ["/runs".to_owned(), format!("/runs/{id}")] {
        let page = visit(&app, &path).await;
        assert_eq!(page.status, 503, "{page:?}");
        assert_sound(&page);
        page.assert_says("query_timed_out");
        page.assert_says("Ask for less");
    }
    lock.rollback().await.unwrap();
    assert_eq!(visit(&app, "/runs").await.status, 200, "and goes on afterwards");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_a_page_says_that() {
    let mut server = Server::temporary(Durability::Fast).await.unwrap();
    let url = server.url("postgres");
    let pool = PgPoolOptions::new().max_connections(8).acquire_timeout(Duration::from_secs(1));
    let ground = Postgres { pool: pool.connect(&url).await.unwrap(), url };
    let runtime = ground.builder().workflow(echo()).workflow(gate()).start().await.unwrap();
    let app = runlog::dashboard::router(&runtime).allow_all_insecure().into_router();
    assert_eq!(visit(&app, "/runs").await.status, 200);
    server.crash().await.unwrap();
    for path in ["/runs", "/failures", "/workflows", "/nodes"] {
        let page = visit(&app, path).await;
        assert_eq!(page.status, 503, "{page:?}");
        assert_sound(&page);
        page.assert_says("database_unavailable");
        assert!(!page.header("retry-after").is_empty(), "{page:?}");
    }
    let about = visit(&app, "/about").await;
    assert_eq!(about.status, 200, "what needs no database goes on");
    server.resume().await.unwrap();
    crate::support::until("it is back", async || visit(&app, "/runs").await.status == 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_among_the_lines_that_is_none_is_refused() {
    let world = World::new().await;
    let app = world.open();
    let logs = format!("/runs/{}/logs", world.failed);
    for after in ["x", "", "1.5", "99999999999999999999"] {
        let page = visit(&app, &format!("{logs}?after={after}")).await;
        assert_eq!(page.status, 400, "{page:?}");
        assert_sound(&page);
        page.assert_says(&format!("after is {after:?}: expected a place in the stream"));
    }
    visit(&app, &format!("{logs}?after=0")).await.assert_says("charge declined");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_log_is_damaged_has_a_page_that_says_so() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start().await.unwrap();
    until("it waits", async || !run.get().await.unwrap().waiting.is_empty()).await;
    runtime.shutdown(Duration::ZERO).await.unwrap();
    let events = damage(&ground, &run).await;
    let app = runlog::dashboard::router(&runtime).allow_all_insecure().into_router();

    let page = visit(&app, &format!("/runs/{}", run.id())).await;

    assert_eq!(page.status, 200, "{page:?}");
    assert_sound(&page);
    page.assert_says("gate: quarantined: its log cannot be folded");
    page.assert_says("its output task has no output");
    page.assert_says(&format!("runlog verify --run {}", run.id()));
    assert_eq!(page.all("table.events tbody tr").len(), events as usize + 1, "what can be read is shown");
}
