//! The REST interface, asked in-process on real databases.

mod access;
mod audit;
mod bodies;
mod bulk;
mod census;
mod commands;
mod compress;
mod events;
mod explain;
mod import;
mod limits;
mod lists;
mod logs;
mod once;
mod openapi;
mod pauses;
mod payloads;
mod problems;
mod replay;
mod retention;
mod runs;
mod schedules;
mod service;
mod start;
mod stream;
mod tokens;
mod triggers;
mod trace;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use runlog::Runtime;
use runlog::http::{Access, router};
use runlog::model::Namespace;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{Ground, Postgres, echo, gate};

/// A node that serves `echo` and `gate`, on a database of its own.
pub struct Stage {
    pub ground: Postgres,
    pub runtime: Runtime,
}

/// What was answered.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Stage {
    pub async fn new() -> Stage {
        let ground = Postgres::new().await;
        let runtime = ground.builder().workflow(echo()).workflow(gate()).start().await.expect("a runtime");
        Stage { ground, runtime }
    }

    /// A router for whoever comes.
    pub fn open(&self) -> Router {
        router(&self.runtime).allow_all_insecure().into_router()
    }

    /// A router for one caller.
    pub fn as_caller(&self, access: Access) -> Router {
        router(&self.runtime).access(move |_| access.clone()).into_router()
    }

    /// A router for a tenant who may do everything.
    pub fn as_tenant(&self, namespace: &str) -> Router {
        let namespace = Namespace::new(namespace).expect("a namespace");
        self.as_caller(Access::all("tenant").in_namespace(namespace))
    }
}

/// Sends a request as it is.
pub async fn send(app: &Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 64 << 20).await.expect("the answer's body").to_vec();
    Answer { status: parts.status, headers: parts.headers, bytes }
}

pub async fn get(app: &Router, path: &str) -> Answer {
    send(app, Request::get(path).body(Body::empty()).expect("a request")).await
}

pub async fn post(app: &Router, path: &str, body: &str) -> Answer {
    send(app, posting(path).body(Body::from(body.to_owned())).expect("a request")).await
}

/// A POST of JSON without its body.
pub fn posting(path: &str) -> axum::http::request::Builder {
    Request::builder().method(Method::POST).uri(path).header("content-type", "application/json")
}

/// Starts a run and returns its id.
pub async fn start(app: &Router, body: Value) -> String {
    let answer = post(app, "/api/v1/runs", &body.to_string()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.text("id")
}

/// Starts a run of `echo`, waits for its end, and returns its id.
pub async fn echoed(stage: &Stage, input: &str) -> String {
    let started = stage.runtime.run_by_name("echo", input).start().await.expect("a start");
    started.wait().await.expect("an end");
    started.id().to_string()
}

/// Waits for a run's end.
pub async fn ended(stage: &Stage, id: &str) {
    crate::support::soon("the run's end", stage.runtime.handle(id.parse().expect("an id")).wait())
        .await
        .expect("an end");
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = String::from_utf8_lossy(&self.bytes);
        write!(f, "{} {:?} {text}", self.status, self.headers)
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns a member that is a text.
    pub fn text(&self, name: &str) -> String {
        let json = self.json();
        json[name].as_str().unwrap_or_else(|| panic!("no text {name} in {json}")).to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Says that this is a problem of `code`, complete and with its status.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let body = self.json();
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], json!(status), "{body}");
        for member in ["type", "title", "detail", "instance", "request_id"] {
            assert!(body[member].is_string(), "{member} is missing: {body}");
        }
        assert_eq!(body["request_id"], self.header("x-request-id"), "{body}");
        body
    }
}
