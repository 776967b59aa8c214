//! The handlers, by what they are about.

mod start;
pub(crate) mod lists;
mod live;
pub(crate) mod runs;
pub(crate) mod explain;
mod trace;
pub(crate) mod tasks;
pub(crate) mod events;
pub(crate) mod stream;
pub(crate) mod logs;
mod chunks;
pub(crate) mod bulk;
mod payloads;
mod commands;
mod signals;
pub(crate) mod replay;
mod workflows;
pub(crate) mod pauses;
mod limits;
mod nodes;
pub(crate) mod audit;
mod retention;
pub(crate) mod schedules;
mod triggers;
mod subscriptions;
mod traces;
mod import;
mod health;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{AdditionalProperties, Components, Schema};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{FieldProblem, ProblemBody};
use super::problem::{Code, Problem};
use super::service::Service;

/// What the document says before its paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "runlog",
        description = "Durable, inspectable workflows on nothing but Postgres: everything about runs.\n\nRefusals are \
                       `application/problem+json` (RFC 9457); `code` never changes its meaning. Answers may get further \
                       members, and words such as `status` and `kind` further values.",
        license(name = "MIT OR Apache-2.0"),
    ),
    components(schemas(ProblemBody, FieldProblem)),
    security(("bearer" = [])),
    modifiers(&Bearer)
)]
struct Document;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// Every address with its handler, and their description.
pub(super) fn all() -> (axum::Router<Arc<Service>>, utoipa::openapi::OpenApi) {
    let (router, mut document) = routes().split_for_parts();
    let operations = document.paths.paths.values_mut().flat_map(operations);
    operations.for_each(|operation| {
        let any = operation.responses.responses.entry("default".to_owned());
        any.or_insert_with(|| any_problem().into());
    });
    document.components.iter_mut().for_each(close);
    (router, document)
}

/// What requests send: a member that is not described is refused, but for those that begin with `x_`.
const SENT: [&str; 17] = [
    "NewRun",
    "Cancel",
    "Signal",
    "SignalKey",
    "Replay",
    "NewBulk",
    "NewPolicy",
    "NewPass",
    "NewSchedule",
    "Nothing",
    "MoveSchedule",
    "BulkSchedules",
    "SignalAll",
    "NewEvent",
    "NewSubscription",
    "NewPause",
    "Resume",
];

fn close(components: &mut Components) {
    for name in SENT {
        if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(name) {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut path.get, &mut path.post, &mut path.put, &mut path.delete].into_iter().flatten()
}

/// What every address may answer: no access, a wrong parameter or body, a database that does not answer.
fn any_problem() -> utoipa::openapi::Response {
    let schema = Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let builder = ResponseBuilder::new().description("a problem; its `code` says which");
    builder.content("application/problem+json", content).build()
}

fn routes() -> OpenApiRouter<Arc<Service>> {
    let v1 = OpenApiRouter::new()
        .routes(routes!(start::start, lists::runs))
        .routes(routes!(lists::tasks))
        .routes(routes!(lists::failures))
        .routes(routes!(lists::stats))
        .routes(routes!(live::list))
        .routes(routes!(runs::get))
        .routes(routes!(retention::get, retention::set, retention::unset))
        .routes(routes!(retention::prune))
        .routes(routes!(retention::export))
        .routes(routes!(import::import))
        .routes(routes!(traces::export))
        .routes(routes!(explain::why))
        .routes(routes!(explain::graph))
        .routes(routes!(trace::spans))
        .routes(routes!(explain::diff))
        .routes(routes!(explain::state))
        .routes(routes!(tasks::list))
        .routes(routes!(tasks::get))
        .routes(routes!(tasks::attempts))
        .routes(routes!(events::list))
        .routes(routes!(events::get))
        .routes(routes!(stream::run))
        .routes(routes!(logs::list))
        .routes(routes!(logs::text))
        .routes(routes!(logs::stream))
        .routes(routes!(chunks::streams))
        .routes(routes!(chunks::list))
        .routes(routes!(chunks::stream))
        .routes(routes!(schedules::list, schedules::create))
        .routes(routes!(schedules::get, schedules::delete))
        .routes(routes!(schedules::pause))
        .routes(routes!(schedules::resume))
        .routes(routes!(schedules::move_to))
        .routes(routes!(schedules::trigger))
        .routes(routes!(schedules::bulk))
        .routes(routes!(triggers::list, triggers::push))
        .routes(routes!(triggers::get))
        .routes(routes!(subscriptions::list, subscriptions::create))
        .routes(routes!(subscriptions::delete))
        .routes(routes!(bulk::start))
        .routes(routes!(bulk::get))
        .routes(routes!(bulk::items))
        .routes(routes!(payloads::input))
        .routes(routes!(payloads::output))
        .routes(routes!(payloads::task_output))
        .routes(routes!(commands::cancel))
        .routes(routes!(commands::signal))
        .routes(routes!(signals::signal_all))
        .routes(routes!(signals::signal_key))
        .routes(routes!(replay::replay))
        .routes(routes!(workflows::list))
        .routes(routes!(limits::list))
        .routes(routes!(limits::keys))
        .routes(routes!(pauses::pause))
        .routes(routes!(pauses::resume))
        .routes(routes!(nodes::list))
        .routes(routes!(audit::list))
        .routes(routes!(document));
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .nest("/api/v1", v1)
}

/// What a list or an object is answered with.
type Answer<T> = Result<Json<T>, Problem>;

/// This document: OpenAPI 3.1
#[utoipa::path(
    get, path = "/openapi.json", tag = "service", security(()),
    responses((status = 200, description = "the document", body = serde_json::Value))
)]
async fn document(State(service): State<Arc<Service>>) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], service.document.to_string()).into_response()
}

/// No address of ours.
pub(super) async fn nothing_here() -> Problem {
    Problem::new(Code::NotFound, "docs/API.md lists every address")
}

/// An address of ours, asked in another way.
pub(super) async fn no_such_method() -> Problem {
    Problem::new(Code::MethodNotAllowed, "the header Allow lists the methods")
}

/// Returns a member of a body as it was written; `null` if it was left out.
fn json_text(value: Option<Box<serde_json::value::RawValue>>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| Box::<str>::from(value).into())
}

/// Answers with 202: it is accepted, and will happen.
fn accepted<T: Serialize>(body: T) -> Response {
    (axum::http::StatusCode::ACCEPTED, Json(body)).into_response()
}
