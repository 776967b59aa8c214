//! A database with something of everything that a page can show.

use axum::Router;
use runlog::http::Access;
use runlog::model::Namespace;
use runlog::{Concurrency, Cx, CxError, Dag, Retry, Runtime, Workflow};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::http::{Stage, ended, get, post, start};
use crate::support::{Ground, Postgres, echo, gate, until};

/// A world, and the ids of its runs.
pub struct World {
    pub stage: Stage,
    /// A checkout that was paid.
    pub good: String,
    /// Two checkouts that failed for one cause.
    pub failed: String,
    pub alike: String,
    /// A replay of the first of them, with a smaller input.
    pub replay: String,
    /// A run whose child failed.
    pub parent: String,
    /// A run that waits for the signal `go`.
    pub waiting: String,
    /// A run that was cancelled by a bulk action, and that action.
    pub cancelled: String,
    pub bulk: String,
    /// A run of a workflow that is paused.
    pub held: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    pub order: String,
    pub cents: u32,
}

#[derive(Debug, thiserror::Error)]
#[error("card_declined (insufficient_funds)")]
struct Declined(#[source] Refused);

#[derive(Debug, thiserror::Error)]
#[error("402 Payment Required")]
struct Refused;

/// Reserves, charges and ships; a card does not pay above 2,000 cents.
pub fn checkout() -> Workflow<Order, String> {
    let dag: Dag<Order> = Workflow::dag("checkout");
    let reserve = dag.task("reserve", |cx: Cx, order: Order| async move {
        cx.log().info(format!("reserved for {}", order.order));
        Ok::<_, CxError>(format!("shelf 3 for {}", order.order))
    });
    let charge = dag.task_after("charge", &reserve, |cx: Cx, order: Order, _: String| async move {
        cx.log().field("cents", order.cents).info("asking the bank");
        let paid = order.cents <= 2_000;
        if !paid {
            cx.log().warn("charge declined");
        }
        let pay =
            move || std::future::ready(if paid { Ok("paid".to_owned()) } else { Err(Declined(Refused)) });
        cx.step("card", pay).input(&order.cents).retry(Retry::none()).await
    });
    let charge = charge.retry(Retry::fixed(std::time::Duration::from_millis(1)).max_attempts(2));
    let ship = dag.task_after("ship", &charge, |_: Cx, order: Order, _: String| async move {
        Ok::<_, CxError>(format!("shipped {}", order.order))
    });
    dag.output(&ship)
}

/// Does a checkout as a child run.
fn parent() -> Workflow<Order, String> {
    async fn code(cx: Cx, order: Order) -> Result<String, CxError> {
        cx.child(&checkout(), order).await
    }
    Workflow::function("parent", code)
}

/// Waits as `gate` does, one run of a tenant at a time.
fn limited() -> Workflow<Value, String> {
    async fn code(cx: Cx, _input: Value) -> Result<String, CxError> {
        Ok(cx.signal::<String>("go").await?.unwrap_or_default())
    }
    Workflow::function("limited", code).concurrency(Concurrency::limit("tenant", 1).by_input("/tenant"))
}

/// Answers JSON of a request that must succeed.
async fn done(app: &Router, path: &str, body: Value) -> Value {
    let answer = post(app, path, &body.to_string()).await;
    assert!(answer.status.is_success(), "{path}: {answer:?}");
    answer.json()
}

impl World {
    pub async fn new() -> World {
        let ground = Postgres::new().await;
        let builder = ground.builder().workflow(echo()).workflow(gate()).workflow(checkout());
        let builder = builder.workflow(parent()).workflow(limited());
        let runtime = builder.start().await.expect("a runtime");
        let stage = Stage { ground, runtime };
        let app = stage.as_caller(Access::all("ada"));
        let checkout = |order: &str, cents: u32| {
            json!({ "workflow": "checkout", "metadata": { "tenant": "acme" },
            "input": Order { order: order.to_owned(), cents } })
        };

        let good = start(&app, checkout("ord-770", 1_200)).await;
        ended(&stage, &good).await;
        let failed = start(&app, checkout("ord-771", 4_200)).await;
        let alike = start(&app, checkout("ord-772", 4_300)).await;
        let parent =
            start(&app, json!({ "workflow": "parent", "input": { "order": "ord-773", "cents": 4_400 } }))
                .await;
        for run in [&failed, &alike, &parent] {
            ended(&stage, run).await;
        }
        let body = json!({ "input": { "order": "ord-771", "cents": 900 }, "reason": "a smaller order" });
        let replay = done(&app, &format!("/api/v1/runs/{failed}/replay"), body).await;
        let replay = replay["run"]["id"].as_str().expect("an id").to_owned();
        ended(&stage, &replay).await;

        let waiting = start(&app, json!({ "workflow": "gate", "key": "k-1" })).await;
        let cancelled = start(&app, json!({ "workflow": "gate" })).await;
        let body = json!({ "action": "cancel", "ids": [cancelled, good], "reason": "closing", "rate": 100 });
        let bulk = done(&app, "/api/v1/bulk", body).await;
        let bulk = bulk["id"].as_str().expect("an id").to_owned();
        ended(&stage, &cancelled).await;
        let bulk_path = format!("/api/v1/bulk/{bulk}");
        until("it is finished", async || !get(&app, &bulk_path).await.json()["finished_at"].is_null()).await;

        for _ in 0..2 {
            start(&app, json!({ "workflow": "limited", "input": { "tenant": "acme" } })).await;
        }
        let books = json!({ "name": "settle-books", "workflow": "gate", "cron": "30 2 * * *", "zone": "Europe/Berlin" });
        done(&app, "/api/v1/schedules", books).await;
        done(&app, "/api/v1/workflows/echo/pause", json!({ "reason": "the bank is away" })).await;
        let held = start(&app, json!({ "workflow": "echo", "input": 1 })).await;
        until("it waits", async || {
            let run = get(&app, &format!("/api/v1/runs/{waiting}")).await.json();
            !run["waiting"][0].is_null()
        })
        .await;
        let asks = "select count(*) from runlog.events where kind = 'signal_awaited'";
        until("all wait that can", async || stage.ground.count(asks).await == 3).await;
        let lines = "select count(*) from runlog.log_lines";
        until("the lines are written", async || stage.ground.count(lines).await >= 19).await;
        World { stage, good, failed, alike, replay, parent, waiting, cancelled, bulk, held }
    }

    pub fn runtime(&self) -> &Runtime {
        &self.stage.runtime
    }

    /// The pages for whoever comes.
    pub fn open(&self) -> Router {
        runlog::dashboard::router(self.runtime()).allow_all_insecure().into_router()
    }

    /// The pages for one caller.
    pub fn as_caller(&self, access: Access) -> Router {
        runlog::dashboard::router(self.runtime()).access(move |_| access.clone()).into_router()
    }

    /// The pages for a tenant who may do everything.
    pub fn as_tenant(&self, namespace: &str) -> Router {
        let namespace = Namespace::new(namespace).expect("a namespace");
        self.as_caller(Access::all("tenant").in_namespace(namespace))
    }

    /// The runs by what they are.
    pub fn runs(&self) -> [&str; 8] {
        [
            &self.good,
            &self.failed,
            &self.alike,
            &self.replay,
            &self.parent,
            &self.waiting,
            &self.cancelled,
            &self.held,
        ]
    }

    /// A number that changes with anything that a request can change.
    pub async fn state(&self) -> i64 {
        let state =
            "select coalesce(sum(hashtext(id::text || status)), 0) + (select count(*) from runlog.events)
                     + (select count(*) from runlog.inbox) + (select count(*) from runlog.bulk)
                     + (select coalesce(sum(hashtext(s::text)), 0) from runlog.schedules s)
                     + (select coalesce(sum(hashtext(p::text)), 0) from runlog.pauses p) from runlog.runs r";
        self.stage.ground.count(state).await
    }
}
