//! What handlers are given: bodies, parameters, the run, the caller. Everything is checked on the way.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use futures_util::StreamExt;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::InThisProcess;
use super::access::Caller;
use super::problem::{Code, Problem};
use super::service::Service;
use super::table::Body as Kind;
use crate::model::RunId;
use crate::model::limits::{
    BODY_BYTES_MAX, BODY_WAIT_MAX, IMPORT_BYTES_MAX, IMPORT_WAIT_MAX, PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX,
};
use crate::store::RunRow;

impl FromRequestParts<Arc<Service>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Service>) -> Result<Caller, Problem> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.ok_or_else(|| Problem::new(Code::Internal, "nobody decided about this request"))
    }
}

/// The run of the path's `{id}`; a run that is not the caller's does not exist.
pub(crate) struct TheRun(pub(crate) RunRow);

impl FromRequestParts<Arc<Service>> for TheRun {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<TheRun, Problem> {
        let caller = Caller::from_request_parts(parts, service).await?;
        let params = variables(parts, service).await?;
        let id = params.iter().find(|(name, _)| *name == "id").map_or("", |(_, value)| value).to_owned();
        let run: RunId = id.parse().map_err(|_| Problem::no_run(&id))?;
        service.run(&caller, run).await.map(TheRun)
    }
}

/// The path's last variable, decoded.
pub(crate) struct Named(pub(crate) String);

impl FromRequestParts<Arc<Service>> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Named, Problem> {
        let params = variables(parts, service).await?;
        let last = params.iter().last().map(|(_, value)| value.to_owned());
        last.map(Named).ok_or_else(|| Problem::new(Code::Internal, "the route has no variable"))
    }
}

async fn variables(parts: &mut Parts, service: &Arc<Service>) -> Result<RawPathParams, Problem> {
    let params = RawPathParams::from_request_parts(parts, service).await;
    params.map_err(|rejection| Problem::new(Code::NotFound, rejection.body_text()))
}

/// A request's body: one JSON object of known members. No body at all is an empty object.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Service>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Arc<Service>) -> Result<Json<T>, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts, body, Kind::Json).await?;
        if bytes.is_empty() {
            return parse("{}").map(Json);
        }
        check_type(&parts.headers, &["application/json"])?;
        let text = str::from_utf8(&bytes).map_err(|error| {
            Problem::new(Code::InvalidJson, format!("the body is no UTF-8 at byte {}", error.valid_up_to()))
        })?;
        parse(text).map(Json)
    }
}

/// Whoever asks, if bound to no namespace.
pub(super) struct Unbound;

impl FromRequestParts<Arc<Service>> for Unbound {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Unbound, Problem> {
        Caller::from_request_parts(parts, service).await?.require_unbound().map(|()| Unbound)
    }
}

/// A request's body: exported runs, JSON lines.
pub(super) struct Exports(pub(super) String);

impl FromRequest<Arc<Service>> for Exports {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Arc<Service>) -> Result<Exports, Problem> {
        let (parts, body) = request.into_parts();
        check_type(&parts.headers, &["application/jsonl", "application/x-ndjson"])?;
        let text = String::from_utf8(read(&parts, body, Kind::Exports).await?);
        text.map(Exports).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Problem::new(Code::InvalidExport, format!("the body is no UTF-8 at byte {at}"))
        })
    }
}

/// Reads a body, never more than the limit of its kind, whatever its headers promise.
pub(super) async fn read(parts: &Parts, body: Body, kind: Kind) -> Result<Vec<u8>, Problem> {
    let (bytes_max, wait) = match kind {
        Kind::Json | Kind::Form => (BODY_BYTES_MAX, BODY_WAIT_MAX),
        Kind::Exports if parts.extensions.get::<InThisProcess>().is_some() => (usize::MAX, IMPORT_WAIT_MAX),
        Kind::Exports => (IMPORT_BYTES_MAX, IMPORT_WAIT_MAX),
    };
    let too_large = || {
        Problem::new(Code::BodyTooLarge, format!("the limit is {bytes_max} bytes"))
            .fact("limit_bytes", bytes_max)
    };
    let headers = &parts.headers;
    let promised = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if promised.is_some_and(|length: u64| length > bytes_max as u64) {
        return Err(too_large());
    }
    let reading = async {
        let (mut bytes, mut chunks) = (Vec::new(), body.into_data_stream());
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| Problem::new(Code::InvalidJson, error.to_string()))?;
            if chunk.len() > bytes_max.saturating_sub(bytes.len()) {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    };
    let late = |_| Problem::new(Code::BodyTimedOut, format!("it must arrive within {wait:?}"));
    tokio::time::timeout(wait, reading).await.map_err(late)?
}

/// Refuses a body that is not of one of these types; JSON may be of any that is made of it.
pub(super) fn check_type(headers: &HeaderMap, wanted: &[&str]) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|given| given.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = || essence.starts_with("application/") && essence.ends_with("+json");
    if wanted.contains(&essence.as_str()) || (wanted.contains(&"application/json") && is_json()) {
        return Ok(());
    }
    let send = wanted.first().copied().unwrap_or_default();
    let detail = match essence.as_str() {
        "" => format!("content-type is missing: send {send}"),
        other => format!("content-type is {other:?}: send {send}"),
    };
    Err(Problem::new(Code::UnsupportedMediaType, detail))
}

/// Reads a JSON object; says where it is not what is needed.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let malformed = |error: serde_json::Error| Problem::new(Code::InvalidJson, error.to_string());
    serde_json::from_str::<IgnoredAny>(text).map_err(malformed)?;
    // A struct would be read from an array, too.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(Problem::at("", "expected an object"));
    }
    let (mut unknown, mut track) = (Vec::new(), serde_path_to_error::Track::new());
    let mut json = serde_json::Deserializer::from_str(text);
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let read = serde_ignored::deserialize(tracked, |path| unknown.push(pointer_of(&path)));
    let value = read.map_err(|error| Problem::at(&pointer(track.path().iter()), error.to_string()))?;
    unknown.retain(|pointer| !pointer.rsplit('/').next().is_some_and(|name| name.starts_with("x_")));
    let Some(first) = unknown.first() else { return Ok(value) };
    let detail = format!("{first}: no such member; a name that begins with x_ is ignored");
    let problem = Problem::new(Code::UnknownField, detail);
    Err(unknown.iter().fold(problem, |problem, pointer| problem.error(pointer, "no such member")))
}

/// Writes a place in a body as a JSON pointer (RFC 6901).
fn pointer<'a>(path: impl Iterator<Item = &'a serde_path_to_error::Segment>) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } | Segment::Enum { variant: key } => push(&mut pointer, key),
            Segment::Unknown => {}
        }
    }
    pointer
}

fn pointer_of(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}/{index}", pointer_of(parent)),
        Path::Map { parent, key } => {
            let mut pointer = pointer_of(parent);
            push(&mut pointer, key);
            pointer
        }
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            pointer_of(parent)
        }
    }
}

fn push(pointer: &mut String, name: &str) {
    pointer.push('/');
    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
}

/// The largest seq, attempt or place that a parameter may name: the description calls them `int32`.
pub(crate) const NUMBER_MAX: u32 = 2_147_483_647;

/// The request's query parameters: only those that the table of routes lists, each at most once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(BTreeMap<String, String>);

impl FromRequestParts<Arc<Service>> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Service>) -> Result<Params, Problem> {
        Ok(parts.extensions.get::<Params>().cloned().unwrap_or_default())
    }
}

impl Params {
    /// Reads them, and refuses others than those that are `known`.
    pub(super) fn read(uri: &Uri, known: &[&str]) -> Result<Params, Problem> {
        let wrong = |what: String| Problem::new(Code::InvalidQuery, what);
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|no| wrong(no.body_text()))?;
        let mut params = BTreeMap::new();
        for (name, value) in pairs.0 {
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(wrong(format!("{name:?} is no parameter here: expected {known}")));
            }
            if params.insert(name.clone(), value).is_some() {
                return Err(wrong(format!("{name} is given twice")));
            }
        }
        Ok(Params(params))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Reads a number in a range; `default` where it is not given.
    pub(crate) fn number(
        &self,
        name: &str,
        range: RangeInclusive<u32>,
        default: u32,
    ) -> Result<u32, Problem> {
        let Some(text) = self.text(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            let (from, to) = (range.start(), range.end());
            Problem::new(
                Code::InvalidQuery,
                format!("{name} is {text:?}: expected a number from {from} to {to}"),
            )
        })
    }

    /// Reads how many rows a page may have.
    pub(crate) fn limit(&self) -> Result<u32, Problem> {
        self.number("limit", 1..=PAGE_ROWS_MAX, PAGE_ROWS_DEFAULT)
    }
}
