//! What a page costs: statements, bytes, elements.

use std::io::Read as _;
use std::sync::{Arc, LazyLock, Mutex};

use axum::body::Body;
use axum::http::Request;
use futures_util::future::join_all;
use runlog::{Cx, Workflow};
use serde_json::json;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

use super::sound::assert_sound;
use super::*;
use crate::http::{Stage, ended, get, send, start};
use crate::support::{Ground, Postgres, until};

/// Keeps what the driver says about each statement that it sends; a transaction's frame is none.
#[derive(Clone, Default)]
struct Statements(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let mut said = Said(String::new());
            event.record(&mut said);
            let asks = !["begin", "commit", "rollback"].iter().any(|word| said.0.starts_with(word));
            self.0.lock().expect("no panic").extend(asks.then_some(said.0));
        }
    }
}

/// What a statement begins with.
struct Said(String);

impl tracing::field::Visit for Said {
    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        if field.name() == "summary" {
            self.0 = value.to_lowercase();
        }
    }

    fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}
}

/// A second listener, that nobody tells anything. While there is one alone, a place in the code that another thread comes by
/// first is taken for one that nobody listens to.
static ANOTHER: LazyLock<tracing::Dispatch> = LazyLock::new(|| tracing::Dispatch::new(registry()));

/// A page, and the statements that it took. What other threads ask is not counted.
async fn counted(app: &Router, address: &str) -> (Page, Vec<String>) {
    // The readers' connections are opened by the first question.
    visit(app, address).await;
    let statements = Statements::default();
    LazyLock::force(&ANOTHER);
    let listening = tracing::subscriber::set_default(registry().with(statements.clone()));
    let page = visit(app, address).await;
    drop(listening);
    let said = statements.0.lock().expect("no panic").clone();
    assert!(!said.is_empty(), "the statements of {address} are counted");
    (page, said)
}

/// Returns how many bytes of a page go over the wire to whoever takes gzip.
async fn compressed(app: &Router, page: &Page) -> usize {
    let request = Request::get(&page.path).header("accept-encoding", "gzip, br");
    let answer = send(app, request.body(Body::empty()).expect("a request")).await;
    assert_eq!((answer.header("content-encoding"), answer.header("vary")), ("gzip", "accept-encoding"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*answer.bytes).read_to_string(&mut text).expect("a page");
    assert!(text.len().abs_diff(page.text.len()) < 500, "the same page, some moments later");
    answer.bytes.len()
}

struct Budget {
    statements: usize,
    bytes: usize,
    compressed: usize,
    elements: usize,
}

async fn assert_within(budget: &Budget, app: &Router, page: &Page, statements: &[String]) {
    assert_eq!(page.status, 200, "{page:?}");
    assert_sound(page);
    let (bytes, elements) = (page.text.len(), page.all("*").len());
    let compressed = compressed(app, page).await;
    println!(
        "{}: {} statements, {bytes} bytes ({compressed} compressed), {elements} elements",
        page.path,
        statements.len()
    );
    assert!(compressed <= budget.compressed, "{}: {compressed} bytes compressed", page.path);
    assert!(
        statements.len() <= budget.statements,
        "{}: {} statements: {statements:#?}",
        page.path,
        statements.len()
    );
    assert!(bytes <= budget.bytes, "{}: {bytes} bytes", page.path);
    assert!(elements <= budget.elements, "{}: {elements} elements", page.path);
}

/// Fails as many do: with a kind, a long message, a place.
fn failing() -> Workflow<u32, ()> {
    async fn code(_: Cx, n: u32) -> anyhow::Result<()> {
        anyhow::bail!(
            "the service of region {} answers 503: upstream connect error or disconnect before headers",
            n % 5
        )
    }
    Workflow::function("import-customers", code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_fifty_runs_is_light() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(failing()).start().await.unwrap();
    let stage = Stage { ground, runtime };
    let app = stage.open();
    let mut last = String::new();
    for n in 0..60 {
        let metadata =
            json!({ "tenant": format!("tenant-{n}"), "region": "eu-central-1", "order": n.to_string() });
        let body = json!({ "workflow": "import-customers", "input": n, "key": format!("order-2026-{n:06}"), "metadata": metadata });
        last = start(&app, body).await;
    }
    ended(&stage, &last).await;
    until("all have ended", async || stage.ground.unfinished().await == 0).await;
    let app = runlog::dashboard::router(&stage.runtime).allow_all_insecure().into_router();
    let budget = Budget { statements: 4, bytes: 30_000, compressed: 4_000, elements: 400 };
    let (page, statements) = counted(&app, "/stats").await;
    assert_within(&budget, &app, &page, &statements).await;
    for address in ["/runs", "/runs?q=status:failed%20meta.region:eu-central-1%20since:7d"] {
        let budget = Budget { statements: 6, bytes: 66_000, compressed: 8_000, elements: 1_500 };
        let (page, statements) = counted(&app, address).await;
        assert_eq!(page.all("tr[data-run]").len(), 50);
        assert!(page.all("a[rel=next]").len() == 1, "there are more");
        assert_within(&budget, &app, &page, &statements).await;
    }
}

const STEPS: u32 = 4_990;

/// Does thousands of steps, each with an output and some with a line.
fn long() -> Workflow<u32, u32> {
    async fn code(cx: Cx, count: u32) -> anyhow::Result<u32> {
        for at in (0..count).step_by(500) {
            let steps = (at..count.min(at + 500)).map(|n| {
                let row = json!({ "customer": n, "name": "a name of usual length", "address": "12 Long Street, Springfield", "ok": true });
                cx.step("row", move || std::future::ready(anyhow::Ok(row.clone())))
            });
            for done in join_all(steps).await {
                drop(done?);
            }
            for n in 0..30 {
                cx.log()
                    .field("customer", at + n)
                    .info("imported a customer and told the mailing list about it");
            }
        }
        anyhow::ensure!(count == 0, "the last row of the file is cut off in the middle");
        Ok(count)
    }
    Workflow::function("import", code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_five_thousand_events_is_light() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(long()).start().await.unwrap();
    let stage = Stage { ground, runtime };
    let app = stage.open();
    // One that went well to compare with, and more that failed than are named: the page has all that it can have.
    let run = async |count: u32| {
        let id = start(&app, json!({ "workflow": "import", "input": count })).await;
        ended(&stage, &id).await;
        id
    };
    run(0).await;
    for _ in 0..5 {
        run(1).await;
    }
    let id = run(STEPS).await;
    until("the lines are written", async || {
        // Thirty of each of the five, and of each stretch of the long one.
        stage.ground.count("select count(*) from runlog.log_lines").await == 450
    })
    .await;
    let events =
        stage.ground.count(&format!("select count(*) from runlog.events where run_id = '{id}'")).await;
    assert!((4_990..5_100).contains(&events), "{events} events");
    let app = runlog::dashboard::router(&stage.runtime).allow_all_insecure().into_router();
    let budget = Budget { statements: 12, bytes: 120_000, compressed: 15_000, elements: 3_000 };
    for rest in ["", "?after=2500", "/events?after=2500", "/logs", "/tasks/import", "/state?at=4000", "/diff"]
    {
        let (page, statements) = counted(&app, &format!("/runs/{id}{rest}")).await;
        assert_within(&budget, &app, &page, &statements).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn assets_are_small_few_and_kept_for_ever() {
    let world = World::new().await;
    let app = world.open();
    let page = visit(&app, "/runs").await;
    let assets: Vec<String> = page.links().into_iter().filter(|link| link.contains("/assets/")).collect();
    assert!(assets.len() <= 6, "{assets:?}");
    let nobody = world.as_caller(Access::unauthenticated());
    let mut bytes = 0;
    for asset in &assets {
        let answer = get(&nobody, asset).await;
        assert_eq!(answer.status, 200, "whoever logs in needs them: {asset}");
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let kind = match asset.rsplit('.').next() {
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/javascript; charset=utf-8",
        };
        assert_eq!(answer.header("content-type"), kind);
        bytes += answer.bytes.len();
        let (stem, rest) = asset.split_once('.').expect("a hash");
        let (hash, extension) = rest.split_once('.').expect("a hash");
        assert!(hash.len() == 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{asset}");
        let old = visit(&nobody, &format!("{stem}.{}.{extension}", "0".repeat(12))).await;
        assert_eq!(
            (old.status.as_u16(), old.header("cache-control")),
            (404, "no-store"),
            "one of another release"
        );
    }
    println!("assets: {bytes} bytes in {} files", assets.len());
    assert!(bytes <= 100_000, "{bytes} bytes");
}
