//! One action on many runs.

mod selection;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::selection::{items_by, items_of};
use super::{Answer, accepted};
use crate::http::access::{Action, Caller};
use crate::http::audit::Facts;
use crate::http::body::{Page, PlanBody, ProblemBody, Time};
use crate::http::bulk::{self, CANCEL, Options, REPLAY};
use crate::http::extract::{Json, NUMBER_MAX, Named, Params};
use crate::http::problem::{Problem, named};
use crate::http::service::Service;
use crate::model::limits::BULK_RUNS_MAX;
use crate::model::{BulkId, RunId, TaskName, Version};
use crate::runtime::{BulkIntent, Error};
use crate::store::{BulkItem, BulkRow, NewBulk};

/// An action on many runs.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = NewBulk)]
pub(crate) struct Start {
    /// What is done; it asks for the action of the same name, too.
    pub(crate) action: What,
    /// The runs, at most 100,000; either these or `q`.
    #[serde(default)]
    pub(crate) ids: Vec<String>,
    /// The runs that this filter finds now; the last 24 hours unless told.
    pub(crate) q: Option<String>,
    /// The namespace whose runs `q` finds; the caller's own, or `default`, unless told.
    pub(crate) namespace: Option<String>,
    /// Runs a second at most; no limit unless told, with `q` 20.
    pub(crate) rate: Option<u32>,
    /// Why.
    pub(crate) reason: Option<String>,
    /// Only says what it would do.
    #[serde(default)]
    pub(crate) dry_run: bool,
    /// Replays from the start, instead of from what did not succeed.
    #[serde(default)]
    pub(crate) from_start: bool,
    /// Replays from this task.
    pub(crate) task: Option<String>,
    /// Replays even runs that were cancelled.
    #[serde(default)]
    pub(crate) force: bool,
    /// The version that replays run on; the newest that is served unless told.
    pub(crate) version: Option<String>,
    /// How long the code of a cancelled run may go on after it was told; 5,000 unless told.
    pub(crate) grace_ms: Option<u64>,
}

/// What is done to many runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BulkAction)]
pub(crate) enum What {
    /// They are cancelled.
    Cancel,
    /// They are replayed.
    #[default]
    Replay,
}

impl What {
    pub(crate) fn word(self) -> &'static str {
        match self {
            What::Cancel => CANCEL,
            What::Replay => REPLAY,
        }
    }

    pub(crate) fn action(self) -> Action {
        match self {
            What::Cancel => Action::Cancel,
            What::Replay => Action::Replay,
        }
    }
}

/// An action on many runs, as it stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Bulk)]
pub(super) struct BulkBody {
    /// Its id.
    id: String,
    /// `cancel` or `replay`.
    action: String,
    /// Who asked for it.
    who: String,
    /// The namespace that who is bound to.
    namespace: Option<String>,
    /// Why.
    reason: Option<String>,
    /// Runs a second at most.
    rate: Option<u32>,
    /// How many runs it is about.
    total: u32,
    /// How many it is done to.
    done: u32,
    /// For how many it is refused.
    refused: u32,
    /// When it was asked for.
    created_at: Time,
    /// When all its runs were answered for; null while it is under way.
    finished_at: Option<Time>,
}

impl From<BulkRow> for BulkBody {
    fn from(row: BulkRow) -> BulkBody {
        BulkBody {
            id: row.id.to_string(),
            action: row.action,
            who: row.who,
            namespace: row.namespace.map(|namespace| namespace.to_string()),
            reason: row.reason,
            rate: row.rate,
            total: row.total,
            done: row.done,
            refused: row.refused,
            created_at: row.created_at.into(),
            finished_at: row.finished_at.map(Time),
        }
    }
}

/// What an action on many runs would do.
#[derive(Serialize, ToSchema)]
#[schema(as = BulkPreview)]
pub(super) struct PreviewBody {
    /// How many runs it is about.
    count: u64,
    /// What it would do to the first ten.
    sample: Vec<IntentBody>,
}

/// What would be done to one run.
#[derive(Serialize, ToSchema)]
#[schema(as = BulkIntent)]
struct IntentBody {
    /// The run.
    run: String,
    /// Where it stands; for a cancel.
    run_status: Option<&'static str>,
    /// What a replay would take over.
    plan: Option<PlanBody>,
    /// The problem's code, when it would be refused.
    code: Option<&'static str>,
    /// What the problem says.
    detail: Option<String>,
}

/// Cancels or replays many runs: one answer for each
///
/// It is carried out by this process, and by another one when this one dies. With `dry_run` nothing is done.
#[utoipa::path(
    post, path = "/bulk", tag = "bulk", request_body = Start,
    responses(
        (status = 200, description = "what it would do, with `dry_run`", body = PreviewBody),
        (status = 202, description = "it is under way; `Location` is its address", body = BulkBody),
        (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
        (
            status = 422, description = "`schema_violation`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
    )
)]
pub(super) async fn start(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Json(start): Json<Start>,
) -> Result<Response, Problem> {
    if start.dry_run {
        let preview = PreviewBody::from(preview(&service, &caller, &start).await?);
        return Ok((StatusCode::OK, axum::Json(preview)).into_response());
    }
    let reason = start.reason.clone();
    let row = begin(&service, &caller, start).await?;
    let place = HeaderValue::from_str(&format!("bulk/{}", row.id));
    let mut response = accepted(BulkBody::from(row));
    if let Ok(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response.extensions_mut().insert(Facts { runs: Vec::new(), reason });
    Ok(response)
}

/// Finds the runs of an action, each once.
async fn chosen(service: &Service, caller: &Caller, start: &Start) -> Result<Vec<BulkItem>, Problem> {
    caller.require(start.action.action())?;
    start.check()?;
    match (&start.q, &start.namespace) {
        (Some(q), namespace) => items_by(service, caller, q, namespace.clone()).await,
        (None, None) => items_of(service, caller, &start.ids).await,
        (None, Some(_)) => Err(Problem::at("/namespace", "it goes with q: an id says whose run it is")),
    }
}

/// Begins an action: it is kept, and goes on by itself.
pub(crate) async fn begin(service: &Arc<Service>, caller: &Caller, start: Start) -> Result<BulkRow, Problem> {
    let items = chosen(service, caller, &start).await?;
    let id = BulkId(service.runtime.new_id());
    let bug = |error: serde_json::Error| Problem::at("", error.to_string());
    let new = NewBulk {
        id,
        who: caller.who.to_string(),
        namespace: caller.namespace.clone(),
        action: start.action.word(),
        options: serde_json::to_string(&start.options()).map_err(bug)?,
        query: start.q.clone(),
        reason: start.reason,
        rate: start.rate.or(start.q.is_some().then_some(RATE_BY_FILTER)),
        items,
    };
    service.desk().await?.keep_bulk(&new).await?;
    bulk::begin(service, id);
    find(service, caller, &id.to_string()).await
}

/// Runs a second, where nobody said how many and a filter found them: a slip must be stoppable.
const RATE_BY_FILTER: u32 = 20;

impl Start {
    fn check(&self) -> Result<(), Problem> {
        match (self.ids.is_empty(), &self.q) {
            (true, None) => return Err(Problem::at("/ids", "there must be a run at least, or q")),
            (false, Some(_)) => return Err(Problem::at("/q", "give either ids or q")),
            (true, Some(_)) | (false, None) => {}
        }
        if self.ids.len() > BULK_RUNS_MAX {
            return Err(Problem::at(
                "/ids",
                format!("{} runs, the limit is {BULK_RUNS_MAX}", self.ids.len()),
            ));
        }
        if self.rate == Some(0) {
            return Err(Problem::at("/rate", "0 would never do anything, at least 1"));
        }
        if self.task.is_some() && self.from_start {
            return Err(Problem::at("/task", "give either from_start or task"));
        }
        if let Some(task) = &self.task {
            TaskName::new(task).map_err(named("/task"))?;
        }
        if let Some(version) = &self.version {
            Version::new(version).map_err(named("/version"))?;
        }
        match &self.reason {
            Some(reason) => crate::runtime::check_text("reason", Some(reason)).map_err(Problem::from),
            None => Ok(()),
        }
    }

    fn options(&self) -> Options {
        Options {
            from_start: self.from_start,
            task: self.task.clone(),
            force: self.force,
            version: self.version.clone(),
            grace_ms: self.grace_ms,
        }
    }
}

/// What an action would do: to how many runs, and to the first of them.
pub(crate) struct Preview {
    /// How many runs.
    pub(crate) count: u64,
    /// Some of them.
    pub(crate) sample: Vec<(RunId, Result<BulkIntent, Error>)>,
}

/// Says what an action would do.
pub(crate) async fn preview(service: &Service, caller: &Caller, start: &Start) -> Result<Preview, Problem> {
    let (items, options) = (chosen(service, caller, start).await?, start.options());
    let open = items.iter().filter(|item| item.outcome.is_none()).map(|item| item.run).collect();
    let (action, reason) = (start.action.word(), start.reason.as_deref());
    let bulk = options.bulk(service, action, &caller.who, reason, open).map_err(named("/task"))?;
    let preview = bulk.preview().await?;
    Ok(Preview { count: u64::try_from(items.len()).unwrap_or(u64::MAX), sample: preview.sample })
}

impl From<Preview> for PreviewBody {
    fn from(preview: Preview) -> PreviewBody {
        let sample = preview.sample.into_iter().map(|(run, intent)| IntentBody::new(run, intent));
        PreviewBody { count: preview.count, sample: sample.collect() }
    }
}

impl IntentBody {
    fn new(run: RunId, intent: Result<BulkIntent, Error>) -> IntentBody {
        let body =
            IntentBody { run: run.to_string(), run_status: None, plan: None, code: None, detail: None };
        match intent {
            Ok(BulkIntent::Cancel { status }) => IntentBody { run_status: Some(status.as_str()), ..body },
            Ok(BulkIntent::Replay(plan)) => IntentBody { plan: Some(PlanBody::from(&plan)), ..body },
            Err(error) => {
                let problem = Problem::from(error);
                let (code, detail) = (Some(problem.code().as_str()), Some(problem.detail().to_owned()));
                IntentBody { code, detail, ..body }
            }
        }
    }
}

/// An action on many runs, as it stands
#[utoipa::path(
    get, path = "/bulk/{id}", tag = "bulk",
    params(("id" = String, Path, description = "the action's id")),
    responses(
        (status = 200, description = "the action", body = BulkBody),
        (status = 404, description = "`bulk_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Named(id): Named,
) -> Answer<BulkBody> {
    let row = find(&service, &caller, &id).await?;
    if row.left {
        bulk::begin(&service, row.id);
    }
    Ok(axum::Json(row.into()))
}

/// Finds an action of the caller's; one of another namespace does not exist.
pub(crate) async fn find(service: &Service, caller: &Caller, id: &str) -> Result<BulkRow, Problem> {
    let id = id.parse().map(BulkId).map_err(|_| Problem::no_bulk(id))?;
    let row = service.desk().await?.bulk(id).await?;
    let own = |row: &BulkRow| caller.namespace.is_none() || caller.namespace == row.namespace;
    row.filter(own).ok_or_else(|| Problem::no_bulk(&id.to_string()))
}

/// One run of an action on many.
#[derive(Serialize, ToSchema)]
#[schema(as = BulkItem)]
pub(super) struct ItemBody {
    /// Its place, from 1.
    place: u32,
    /// The run.
    run: String,
    /// `ok`, or a problem's code; null until it is answered for.
    outcome: Option<String>,
    /// What the problem says.
    detail: Option<String>,
    /// The run that replays it.
    new_run: Option<String>,
}

impl From<BulkItem> for ItemBody {
    fn from(item: BulkItem) -> ItemBody {
        ItemBody {
            place: item.place,
            run: item.run.to_string(),
            outcome: item.outcome,
            detail: item.detail,
            new_run: item.new_run.map(|run| run.to_string()),
        }
    }
}

/// The runs of an action on many, with their answers
#[utoipa::path(
    get, path = "/bulk/{id}/items", tag = "bulk",
    params(
        ("id" = String, Path, description = "the action's id"),
        ("after" = Option<u32>, Query, description = "only those after this place; 0 unless told"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "rows at most, 1 to 500; 50 unless told"),
    ),
    responses(
        (status = 200, description = "the runs", body = Page<ItemBody>),
        (
            status = 400, description = "`invalid_query`", body = ProblemBody,
            content_type = "application/problem+json",
        ),
        (status = 404, description = "`bulk_not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn items(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Named(id): Named,
    params: Params,
) -> Answer<Page<ItemBody>> {
    let (limit, after) = (params.limit()?, params.number("after", 0..=NUMBER_MAX, 0)?);
    let row = find(&service, &caller, &id).await?;
    let items = service.desk().await?.bulk_items(row.id, after, limit).await?;
    let full = items.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next = items.last().filter(|_| full).map(|last| last.place.to_string());
    Ok(axum::Json(Page { data: items.into_iter().map(ItemBody::from).collect(), next }))
}
