//! `runlog` inside an axum service: `cargo run --example axum`, then
//!
//! ```text
//! curl -X POST localhost:3000/orders -H content-type:application/json -d '{"key":"order-1","cents":4900}'
//! curl localhost:3000/orders/order-1
//! curl 'localhost:3000/runlog/api/v1/workflows' -H 'authorization: Bearer ada'
//! ```
//!
//! Everything about the runs is under `/runlog`, for whom the service lets in: the REST interface for whoever names himself,
//! and the dashboard at <http://localhost:3000/runlog>, which a browser on this machine may read; a real service asks its own
//! login who somebody is.
//!
//! Ctrl-C stops it in order: requests under way are answered, runs under way come to a checkpoint and are released.
//! With `--check` it serves on a free port, sends itself those requests, and stops; with a number it serves on that port.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use runlog::http::{Access, Action};
use runlog::testing::postgres::locate;
use runlog::{Cx, Retry, Runtime, Workflow};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    key: String,
    cents: u32,
}

async fn fulfil(cx: Cx, order: Order) -> anyhow::Result<String> {
    let paid = cx
        .step("charge", || async { anyhow::Ok(order.cents) })
        .retry(Retry::exponential(Duration::from_millis(100)))
        .await?;
    cx.sleep(Duration::from_millis(50)).await?;
    Ok(format!("shipped for {paid} cents"))
}

fn workflow() -> Workflow<Order, String> {
    Workflow::function("order", fulfil)
}

/// What a handler answers when the engine refuses: the engine's own words.
struct Refusal(StatusCode, String);

impl From<runlog::Error> for Refusal {
    fn from(error: runlog::Error) -> Refusal {
        let status = match error {
            runlog::Error::Store(_) | runlog::Error::NotRunning => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Refusal(status, error.to_string())
    }
}

impl axum::response::IntoResponse for Refusal {
    fn into_response(self) -> axum::response::Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// Starts the order's run. When this answers, the run is committed: it will happen, whatever happens to this process.
/// The order's own key makes it safe to send the request again.
async fn place(
    State(runtime): State<Runtime>,
    Json(order): Json<Order>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let key = order.key.clone();
    let started = runtime.run(&workflow(), order).key(&key).start_or_get().await?;
    let status = if started.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(json!({ "order": key, "new": started.created }))))
}

/// Shows the order's run.
async fn show(State(runtime): State<Runtime>, Path(key): Path<String>) -> Result<Json<Value>, Refusal> {
    let unknown = || Refusal(StatusCode::NOT_FOUND, format!("there is no order {key}"));
    let run = runtime.find("order", &key).await?.ok_or_else(unknown)?;
    let view = runtime.get(run).await?.ok_or_else(unknown)?;
    let waiting: Vec<String> = view.waiting.iter().map(ToString::to_string).collect();
    let output = view.output.map(|output| output.read::<Value>().unwrap_or_default());
    Ok(Json(json!({ "order": key, "status": view.status.as_str(), "waiting": waiting, "output": output })))
}

/// Says who may do what under `/runlog`.
fn access(request: &axum::http::request::Parts) -> Access {
    let text = |name| request.headers.get(name).and_then(|value| value.to_str().ok());
    match text("authorization").and_then(|value| value.strip_prefix("Bearer ")) {
        Some(name) => Access::all(name),
        // A browser reads, and replays what failed.
        None if text("accept").is_some_and(|kinds| kinds.contains("text/html")) => {
            Access::read_only("visitor").allow(Action::Replay)
        }
        None => Access::unauthenticated(),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let argument = std::env::args().nth(1);
    let check = argument.as_deref() == Some("--check");
    let port = match argument {
        _ if check => 0,
        Some(port) => port.parse().context("expected --check or a port")?,
        None => 3000,
    };
    let database = locate(std::env::var("DATABASE_URL").ok().as_deref()).await?.start("axum").await?;
    let pool = sqlx::PgPool::connect(database.url()).await?;
    let runtime = Runtime::builder(pool).workflow(workflow()).start().await?;

    let app = Router::new()
        .route("/orders", post(place))
        .route("/orders/{key}", get(show))
        .with_state(runtime.clone())
        .nest("/runlog", runlog::dashboard::router(&runtime).access(access).into_router());
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let checker = async {
        if check {
            send_requests(address, &runtime).await?;
            let _served = stop.send(());
        } else {
            println!(
                "listening on http://{address}, the dashboard is at http://{address}/runlog, Ctrl-C stops"
            );
        }
        anyhow::Ok(())
    };
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        tokio::select! {
            Ok(()) = stopped => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    });
    let (served, checked) = tokio::join!(server, checker);
    served?;
    checked?;

    runtime.shutdown(Duration::from_secs(5)).await?;
    database.stop().await?;
    Ok(())
}

async fn send_requests(address: SocketAddr, runtime: &Runtime) -> anyhow::Result<()> {
    let order = r#"{"key":"order-1","cents":4900}"#;
    request(address, "POST", "/orders", order).await?;
    request(address, "POST", "/orders", order).await?;
    let run = runtime.find("order", "order-1").await?.context("the order was placed")?;
    runtime.handle(run).wait().await?;
    request(address, "GET", "/orders/order-1", "").await?;
    request(address, "GET", "/orders/order-2", "").await?;
    request(address, "GET", "/runlog/healthz", "").await
}

/// Sends one request the simplest way there is, and prints it with its answer.
async fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n"
    );
    stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.lines().next().unwrap_or_default().trim_start_matches("HTTP/1.1 ");
    let (_, answered) = answer.split_once("\r\n\r\n").context("an answer has a head and a body")?;
    let asked = format!("{method} {path} {body}");
    println!("{}\n  {status} {}", asked.trim_end(), answered.trim_end());
    Ok(())
}
