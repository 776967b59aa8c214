//! Who did what.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use crate::http::access::Caller;
use crate::http::body::{Page, ProblemBody, Time};
use crate::http::extract::Params;
use crate::http::problem::{Code, Problem};
use crate::http::service::Service;
use crate::model::RunId;
use crate::store::Audited;

/// Something that was done through this interface, or tried.
#[derive(Serialize, ToSchema)]
#[schema(as = Deed)]
pub(super) struct DeedBody {
    /// Its place: later ones have higher ones.
    id: i64,
    /// When it was answered.
    at: Time,
    /// Who.
    who: String,
    /// The action.
    action: String,
    /// The namespace that who is bound to.
    namespace: Option<String>,
    /// The run it was done to, or that came of it.
    run: Option<String>,
    /// Method and path.
    target: String,
    /// Why, where it was said.
    reason: Option<String>,
    /// `ok`, or the problem's code.
    outcome: String,
    /// The request's id.
    request_id: String,
}

/// What was done, and what was tried and refused: the newest first
///
/// A caller bound to a namespace sees what those did who are bound to the same.
#[utoipa::path(
    get, path = "/audit", tag = "service",
    params(
        ("run" = Option<String>, Query, description = "only what was done to this run"),
        ("cursor" = Option<i64>, Query, description = "where to go on: the `next` of the page before"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "rows at most, 1 to 500; 50 unless told"),
    ),
    responses(
        (status = 200, description = "the deeds", body = Page<DeedBody>),
        (
            status = 400, description = "`invalid_query`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    params: Params,
) -> Answer<Page<DeedBody>> {
    let (deeds, next) = page(&service, &caller, &params).await?;
    Ok(Json(Page {
        data: deeds.into_iter().map(DeedBody::from).collect(),
        next: next.map(|id| id.to_string()),
    }))
}

/// Reads the deeds that the parameters ask for, and before which one to go on.
pub(crate) async fn page(
    service: &Service,
    caller: &Caller,
    params: &Params,
) -> Result<(Vec<Audited>, Option<i64>), Problem> {
    let wrong = |what: &str| Problem::new(Code::InvalidQuery, what.to_owned());
    let run = params.text("run").map(str::parse::<RunId>).transpose().map_err(|no| wrong(&no.to_string()))?;
    let before = params.text("cursor").map(str::parse::<i64>).transpose();
    let before = before.map_err(|_| wrong("cursor is none of this list"))?.unwrap_or(i64::MAX);
    let limit = params.limit()?;
    let deeds = service.desk().await?.audit(caller.namespace.as_ref(), run, before, limit).await?;
    let more = deeds.len() == limit as usize;
    let next = deeds.last().filter(|_| more).map(|last| last.id);
    Ok((deeds, next))
}

impl From<Audited> for DeedBody {
    fn from(Audited { id, at, deed }: Audited) -> DeedBody {
        DeedBody {
            id,
            at: at.into(),
            who: deed.who,
            action: deed.action,
            namespace: deed.namespace.map(|namespace| namespace.to_string()),
            run: deed.run.map(|run| run.to_string()),
            target: deed.target,
            reason: deed.reason,
            outcome: deed.outcome,
            request_id: deed.request_id,
        }
    }
}
