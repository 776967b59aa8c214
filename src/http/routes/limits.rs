//! How many runs of a key may run at once and start in how long, and how the keys stand.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use crate::http::access::Caller;
use crate::http::body::{Page, ProblemBody, Time, millis};
use crate::http::extract::{Named, Params};
use crate::http::problem::{Code, Problem};
use crate::http::service::Service;
use crate::model::limit::LimitBy;
use crate::model::{Namespace, WorkflowName};
use crate::store::{KnownLimit, LimitKey};

/// A workflow's limit of concurrency: that of the version that a node registered last.
#[derive(Serialize, ToSchema)]
#[schema(as = Limit)]
pub(super) struct LimitBody {
    /// The workflow.
    workflow: String,
    /// The limit's name.
    name: String,
    /// How many runs of one key, in one namespace, may run at once, on all nodes together.
    slots: u32,
    /// How many of one key may start in any window of `window_ms`; null = as many as have slots.
    starts: Option<u32>,
    /// How long such a window is, in milliseconds.
    window_ms: Option<u64>,
    /// For how long no newer run of a key must come before its newest starts, and the others are cancelled, in milliseconds;
    /// null = it starts at once.
    quiet_ms: Option<u64>,
    /// How long after the first of them it starts at the latest, in milliseconds; null = however long it takes.
    max_wait_ms: Option<u64>,
    /// `queue`: the runs of all keys stand in the order of the queue; `round_robin`: the keys take turns;
    /// `cancel_oldest` and `cancel_newest`: a run without a slot has the oldest of its key cancelled, or is;
    /// the latter also where too many started. More may come.
    policy: &'static str,
    /// What the key is: `workflow` (all runs have one), `input`, `metadata` or `code`; more may come.
    by: &'static str,
    /// The JSON pointer into the input, or the name of the metadata.
    at: Option<String>,
    /// Since when it has so many slots, this rate and this debounce.
    since: Time,
}

impl From<&KnownLimit> for LimitBody {
    fn from(known: &KnownLimit) -> LimitBody {
        let (by, at) = match &known.limit.by {
            LimitBy::Workflow => ("workflow", None),
            LimitBy::Input(pointer) => ("input", Some(pointer.clone())),
            LimitBy::Metadata(name) => ("metadata", Some(name.clone())),
            LimitBy::Code => ("code", None),
        };
        LimitBody {
            workflow: known.workflow.to_string(),
            name: known.limit.name.clone(),
            slots: known.limit.slots,
            starts: known.limit.rate.map(|rate| rate.starts),
            window_ms: known.limit.rate.map(|rate| millis(rate.window)),
            quiet_ms: known.limit.debounce.map(|debounce| millis(debounce.quiet)),
            max_wait_ms: known.limit.debounce.and_then(|debounce| debounce.max_wait).map(millis),
            policy: known.limit.policy.as_str(),
            by,
            at,
            since: known.since.into(),
        }
    }
}

/// How a key stands.
#[derive(Serialize, ToSchema)]
#[schema(as = LimitKey)]
pub(super) struct KeyBody {
    /// In which namespace.
    namespace: String,
    /// The key; empty where the limit has none.
    key: String,
    /// Runs that were let in and have not ended, also those that sleep or wait.
    running: u32,
    /// Runs that wait to be let in.
    waiting: u32,
}

impl From<&LimitKey> for KeyBody {
    fn from(key: &LimitKey) -> KeyBody {
        KeyBody {
            namespace: key.namespace.to_string(),
            key: key.key.clone(),
            running: key.running,
            waiting: key.waiting,
        }
    }
}

/// The limits of concurrency, by workflow
#[utoipa::path(
    get, path = "/limits", tag = "workflows",
    params(
        ("workflow" = Option<String>, Query, description = "only this workflow's"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "rows at most, 1 to 500; 50 unless told"),
    ),
    responses(
        (status = 200, description = "the limits", body = Page<LimitBody>),
        (
            status = 400, description = "`invalid_query`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn list(State(service): State<Arc<Service>>, params: Params) -> Answer<Page<LimitBody>> {
    let workflow = params.text("workflow").map(WorkflowName::new).transpose().map_err(refused)?;
    let known = service.lists().await?.limits(workflow.as_ref(), params.limit()?).await?;
    Ok(Json(Page { data: known.iter().map(LimitBody::from).collect(), next: None }))
}

/// The keys of a workflow's limit under which runs run or wait: the longest lines first
///
/// Of more than 20,000 runs only these are counted.
#[utoipa::path(
    get, path = "/limits/{workflow}/keys", tag = "workflows",
    params(
        ("workflow" = String, Path, description = "the workflow's name"),
        ("namespace" = Option<String>, Query, description = "only this namespace's; a caller's own unless bound to none"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "rows at most, 1 to 500; 50 unless told"),
    ),
    responses(
        (status = 200, description = "the keys", body = Page<KeyBody>),
        (
            status = 400, description = "`invalid_query`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn keys(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Named(workflow): Named,
    params: Params,
) -> Answer<Page<KeyBody>> {
    let workflow = WorkflowName::new(workflow).map_err(refused)?;
    let said = params.text("namespace").map(Namespace::new).transpose().map_err(refused)?;
    if let Some(said) = said.as_ref().filter(|said| !caller.sees(said)) {
        let detail = format!("{} does not see namespace {said}", caller.who);
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let namespace = caller.namespace.as_ref().or(said.as_ref());
    let keys = service.lists().await?.limit_keys(&workflow, namespace, params.limit()?).await?;
    Ok(Json(Page { data: keys.iter().map(KeyBody::from).collect(), next: None }))
}

fn refused(error: crate::model::ids::NameError) -> Problem {
    Problem::new(Code::InvalidQuery, error.to_string())
}
