//! What a refusal looks like: RFC 9457, with a code that stays.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::body::millis;
use crate::inspect::InspectError;
use crate::model::ids::NameError;
use crate::model::schedule::CronError;
use crate::model::{PayloadError, RunId, Status};
use crate::runtime::{Error, NotReplayable};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $status:literal $code:literal $title:literal,)+) => {
        /// What went wrong: the part of a refusal that programs branch on. It never changes its meaning; new ones may come.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $variant,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$variant,)+];

            /// Returns the word for it, as in the member `code`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $code,)+ }
            }

            /// Returns the HTTP status that it comes with.
            pub fn status(self) -> u16 {
                match self { $(Code::$variant => $status,)+ }
            }

            /// Returns what it means, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Code::$variant => $title,)+ }
            }

            fn variant(self) -> &'static str {
                match self { $(Code::$variant => stringify!($variant),)+ }
            }
        }
    };
}

codes! {
    /// The body is no JSON, or no UTF-8.
    InvalidJson = 400 "invalid_json" "The body is not JSON",
    /// The body has a member that this release does not know; prefix it with `x_` to have it ignored.
    UnknownField = 400 "unknown_field" "The body has an unknown member",
    /// A query parameter is unknown, comes twice, or cannot be read.
    InvalidQuery = 400 "invalid_query" "A query parameter is wrong",
    /// The filter does not parse; `column` says where, `expected` and `suggestion` what would.
    InvalidFilter = 400 "invalid_filter" "The filter does not parse",
    /// The cursor belongs to another query, or is none.
    CursorMismatch = 400 "cursor_mismatch" "The cursor does not fit the query",
    /// A header cannot be read.
    InvalidHeader = 400 "invalid_header" "A header is wrong",
    /// Nobody is logged in, or the token is unknown, revoked or expired.
    Unauthenticated = 401 "unauthenticated" "Log in first",
    /// The caller may not do this; `action` names what is missing.
    Forbidden = 403 "forbidden" "This is not allowed",
    /// A browser sent this on behalf of another site.
    CrossSite = 403 "cross_site" "Another site's request is refused",
    /// There is no such run for this caller.
    RunNotFound = 404 "run_not_found" "There is no such run",
    /// There is no such task in the run.
    TaskNotFound = 404 "task_not_found" "There is no such task",
    /// There is no such event in the run's log.
    EventNotFound = 404 "event_not_found" "There is no such event",
    /// The run or task has no such payload, or none yet.
    PayloadNotFound = 404 "payload_not_found" "There is no such payload",
    /// There is no such bulk action for this caller.
    BulkNotFound = 404 "bulk_not_found" "There is no such bulk action",
    /// No workflow of that name is known.
    WorkflowNotFound = 404 "workflow_not_found" "There is no such workflow",
    /// There is no retention policy of that namespace and workflow.
    PolicyNotFound = 404 "policy_not_found" "There is no such policy",
    /// There is no such schedule for this caller.
    ScheduleNotFound = 404 "schedule_not_found" "There is no such schedule",
    /// There is no such subscription for this caller.
    SubscriptionNotFound = 404 "subscription_not_found" "There is no such subscription",
    /// No trigger event of that id was pushed in the last 30 days.
    TriggerEventNotFound = 404 "trigger_event_not_found" "There is no such trigger event",
    /// There is nothing at this address.
    NotFound = 404 "not_found" "There is nothing here",
    /// The address takes no such method; `Allow` lists those that it takes.
    MethodNotAllowed = 405 "method_not_allowed" "The method is not allowed here",
    /// The body did not arrive in time.
    BodyTimedOut = 408 "body_timed_out" "The body did not arrive in time",
    /// The run's status does not allow it; `run_status` says what that is.
    IllegalTransition = 409 "illegal_transition" "The run's status does not allow it",
    /// The run cannot be replayed, or not so: it lives, was cancelled (`force`), or succeeded (say from where).
    RunNotReplayable = 409 "run_not_replayable" "The run cannot be replayed",
    /// The key is taken and `if_exists` is `fail`; `run` names who has it.
    DuplicateKey = 409 "duplicate_key" "The key is taken",
    /// There is a schedule of that name already.
    ScheduleExists = 409 "schedule_exists" "The schedule's name is taken",
    /// There is a subscription of that name already.
    SubscriptionExists = 409 "subscription_exists" "The subscription's name is taken",
    /// All the runs that were to be imported are here already; `run` names the first.
    RunExists = 409 "run_exists" "The run is here already",
    /// Somebody is at a retention pass already; `by` says who.
    PassUnderWay = 409 "pass_under_way" "A retention pass is under way",
    /// The id of the signal was used for another one.
    SignalIdTaken = 409 "signal_id_taken" "The signal's id is another signal's",
    /// A request with this Idempotency-Key is under way: ask again.
    IdempotencyInFlight = 409 "idempotency_in_flight" "The same request is under way",
    /// The body is larger than is ever needed.
    BodyTooLarge = 413 "body_too_large" "The body is too large",
    /// The body is not `application/json`, or not `application/jsonl` where runs are imported.
    UnsupportedMediaType = 415 "unsupported_media_type" "The body is of the wrong type",
    /// The payload has none of the bytes that `Range` asks for; `bytes` says how many it has.
    RangeNotSatisfiable = 416 "range_not_satisfiable" "There are no such bytes",
    /// The body is JSON and not what is needed here; `errors` point at it.
    SchemaViolation = 422 "schema_violation" "The body is not as it must be",
    /// The lines are no exported run, or one that was cut or changed; `export` and `line` say where.
    InvalidExport = 422 "invalid_export" "The lines are no exported run",
    /// A newer release exported the run: upgrade this one.
    NewerExport = 422 "newer_export" "A newer release exported the run",
    /// The exported run has not ended: export it again after its end.
    LiveExport = 422 "live_export" "The exported run has not ended",
    /// This Idempotency-Key came with another request.
    IdempotencyMismatch = 422 "idempotency_mismatch" "The key belongs to another request",
    /// As many trigger events are being pushed as this process takes at a time: nothing was done, push it again after
    /// `Retry-After`.
    TooManyEvents = 429 "too_many_events" "Too many events are being pushed",
    /// No run waits for the signal, and as many are kept as may be: send it again later.
    SignalsFull = 429 "signals_full" "No more signals are kept",
    /// A bug of ours; the request id finds it in the log.
    Internal = 500 "internal" "Something went wrong here",
    /// The run's log is damaged and cannot be folded.
    LogUnreadable = 500 "log_unreadable" "The run's log cannot be read",
    /// It needs Postgres, and this runtime keeps its runs in memory.
    NotSupported = 501 "not_supported" "This needs Postgres",
    /// The database does not answer: try again. Whether a write happened is unknown.
    DatabaseUnavailable = 503 "database_unavailable" "The database does not answer",
    /// The question took the database too long: ask for less.
    QueryTimedOut = 503 "query_timed_out" "The question took too long",
    /// The schema is not this release's.
    NotMigrated = 503 "not_migrated" "The schema is not up to date",
    /// The node shuts down or lost its lease: try again, here or elsewhere.
    NotRunning = 503 "not_running" "The node is not running",
    /// As many imports are under way as this process takes at a time: try again.
    TooManyImports = 503 "too_many_imports" "Too many imports are under way",
    /// As many streams are open as this process serves.
    TooManyStreams = 503 "too_many_streams" "Too many streams are open",
}

impl Code {
    /// Returns the page that explains it.
    pub fn page(self) -> String {
        format!("https://docs.rs/runlog/latest/runlog/http/enum.Code.html#variant.{}", self.variant())
    }
}

/// A refusal under construction. The answer's `instance` and `request_id` are added on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    code: Code,
    detail: Cow<'static, str>,
    errors: Vec<Value>,
    facts: Map<String, Value>,
    /// Where a reader of a page logs in; programs are not told.
    login: Option<Arc<str>>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem { code, detail: detail.into(), errors: Vec::new(), facts: Map::new(), login: None }
    }

    /// Points at a member of the body.
    pub(crate) fn at(pointer: &str, detail: impl Into<String>) -> Problem {
        let detail = detail.into();
        let whole = if pointer.is_empty() { detail.clone() } else { format!("{pointer}: {detail}") };
        Problem::new(Code::SchemaViolation, whole).error(pointer, &detail)
    }

    pub(crate) fn no_run(id: &str) -> Problem {
        let id: String = id.chars().take(64).collect();
        Problem::new(Code::RunNotFound, format!("there is no run {id}; retention may have removed it"))
    }

    pub(crate) fn no_bulk(id: &str) -> Problem {
        let id: String = id.chars().take(64).collect();
        Problem::new(Code::BulkNotFound, format!("there is no bulk action {id}"))
    }

    #[must_use]
    pub(crate) fn error(mut self, pointer: &str, detail: &str) -> Problem {
        self.errors.push(serde_json::json!({ "pointer": pointer, "detail": detail }));
        self
    }

    /// Adds a member that programs may want.
    #[must_use]
    pub(crate) fn fact(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    /// Sends readers of pages to a login of the embedder's.
    #[must_use]
    pub(crate) fn log_in_at(mut self, login: Option<Arc<str>>) -> Problem {
        self.login = login;
        self
    }

    #[cfg_attr(not(feature = "dashboard"), expect(dead_code, reason = "pages alone send readers elsewhere"))]
    pub(crate) fn login(&self) -> Option<&str> {
        self.login.as_deref()
    }

    pub(crate) fn code(&self) -> Code {
        self.code
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Makes the answer of it.
    pub(crate) fn render(self, instance: &str, request_id: &str) -> Response {
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        put("type", self.code.page().into());
        put("title", self.code.title().into());
        put("status", self.code.status().into());
        put("detail", self.detail.into_owned().into());
        put("instance", instance.into());
        put("code", self.code.as_str().into());
        put("request_id", request_id.into());
        if !self.errors.is_empty() {
            put("errors", Value::Array(self.errors));
        }
        let length = self.facts.get("bytes").map(|bytes| format!("bytes */{bytes}"));
        body.extend(self.facts);
        let mut response = (status(self.code), Value::Object(body).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.code {
            Code::Unauthenticated => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Code::RangeNotSatisfiable => {
                let length = length.and_then(|length| HeaderValue::from_str(&length).ok());
                headers.extend(length.map(|length| (header::CONTENT_RANGE, length)));
            }
            code if matches!(code.status(), 429 | 503) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The body is made when the request's id is at hand, by [`observe`](super::observe::observe).
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = status(self.code).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        let detail = error.to_string();
        match error {
            Error::UnknownWorkflow { workflow, .. } => {
                Problem::new(Code::WorkflowNotFound, detail).fact("workflow", workflow)
            }
            Error::Name(_) => Problem::new(Code::SchemaViolation, detail),
            Error::Payload { field, source } => Problem::at(&format!("/{field}"), source.to_string()),
            Error::Field { field, problem } => Problem::at(&format!("/{field}"), problem),
            Error::KeyExists { run, workflow, key } => Problem::new(Code::DuplicateKey, detail)
                .fact("run", run.to_string())
                .fact("workflow", workflow)
                .fact("key", key),
            Error::SignalId { id } => Problem::new(Code::SignalIdTaken, detail).fact("id", id),
            Error::SignalsFull { .. } => Problem::new(Code::SignalsFull, detail),
            Error::Finished { run, status, .. } => Problem::new(Code::IllegalTransition, detail)
                .fact("run", run.to_string())
                .fact("run_status", status.as_str()),
            Error::NotReplayable { run, why } => {
                let problem = Problem::new(Code::RunNotReplayable, detail).fact("run", run.to_string());
                match why {
                    NotReplayable::Live { status } => problem.fact("run_status", status.as_str()),
                    NotReplayable::Cancelled => problem.fact("run_status", Status::Cancelled.as_str()),
                    NotReplayable::Succeeded => problem.fact("run_status", Status::Succeeded.as_str()),
                    NotReplayable::UnknownTask { .. } | NotReplayable::Redacted => problem,
                }
            }
            Error::NotFound { run } => Problem::no_run(&run.to_string()),
            Error::NotRunning => Problem::new(Code::NotRunning, detail),
            Error::OutOfRange { run, events, .. } => no_event(run, events, detail),
            Error::Quarantined { run, .. } => unreadable(run, detail),
            Error::Cron(error) => cron(&error),
            Error::ScheduleExists { name } => Problem::new(Code::ScheduleExists, detail).fact("name", name),
            Error::NoSchedule { name } => Problem::new(Code::ScheduleNotFound, detail).fact("name", name),
            Error::EventFilter(error) => Problem::at("/filter", error.to_string()),
            Error::SubscriptionExists { name } => {
                Problem::new(Code::SubscriptionExists, detail).fact("name", name)
            }
            Error::TooManyEvents { retry_after } => {
                Problem::new(Code::TooManyEvents, detail).fact("retry_after_ms", millis(retry_after))
            }
            Error::Schedule(_) => Problem::new(Code::SchemaViolation, detail),
            Error::Filter(error) => error.into(),
            Error::Cursor(_) => Problem::new(Code::CursorMismatch, detail),
            Error::PassUnderWay { by } => Problem::new(Code::PassUnderWay, detail).fact("by", by),
            Error::Import(error) => error.into(),
            Error::Store(error) => error.into(),
            Error::Workflow(_) | Error::Setting { .. } => Problem::new(Code::Internal, detail),
        }
    }
}

fn cron(error: &CronError) -> Problem {
    let pointer = match error {
        CronError::Zone { .. } => "/zone",
        _ => "/cron",
    };
    Problem::at(pointer, error.to_string())
}

fn no_event(run: RunId, events: u32, detail: String) -> Problem {
    let problem = Problem::new(Code::EventNotFound, detail);
    problem.fact("run", run.to_string()).fact("events", events.to_string())
}

fn unreadable(run: RunId, detail: String) -> Problem {
    Problem::new(Code::LogUnreadable, detail).fact("run", run.to_string())
}

impl From<InspectError> for Problem {
    fn from(error: InspectError) -> Problem {
        let detail = error.to_string();
        match error {
            InspectError::Illegal(illegal) => unreadable(illegal.run, illegal.to_string()),
            InspectError::OutOfRange { run, events, .. } => no_event(run, events, detail),
            InspectError::Cursor(error) => Problem::new(Code::CursorMismatch, error.to_string()),
            limit @ InspectError::PageLimit { .. } => Problem::new(Code::InvalidQuery, limit.to_string()),
            InspectError::Unreadable { run, seq, problem } => {
                unreadable(run, format!("event {seq}: {problem}"))
            }
            InspectError::Store(error) => error.into(),
        }
    }
}

/// Points at the member that cannot be a name.
pub(crate) fn named(pointer: &'static str) -> impl Fn(NameError) -> Problem {
    move |error| Problem::at(pointer, error.to_string())
}

/// Points at the member whose payload is refused.
pub(crate) fn paid(pointer: &'static str) -> impl Fn(PayloadError) -> Problem {
    move |error| Problem::at(pointer, error.to_string())
}
