//! Notes who did what.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::extract::{OriginalUri, RawPathParams};
use axum::http::request::Parts;
use axum::response::Response;

use super::access::Caller;
use super::observe::RequestId;
use super::once::Replayed;
use super::problem::{Code, Problem};
use super::service::Service;
use super::table::Route;
use crate::model::RunId;
use crate::store::Deed;

/// What only a handler knows of a deed; it leaves it with its answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// The runs that came of it; each is a deed of its own.
    pub(crate) runs: Vec<RunId>,
    /// Why it was done.
    pub(crate) reason: Option<String>,
}

/// How a deed ended that a page answered for: with a code of its own, or with nothing done yet.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "dashboard"), expect(dead_code, reason = "pages alone answer so"))]
pub(crate) enum Shown {
    /// It was refused, and the page says why.
    Refused(Code),
    /// The page says what would be done.
    Proposed,
}

/// A deed whose outcome is not known yet.
pub(crate) struct Draft(Deed);

impl Draft {
    /// Notes what is asked, and by whom; `None` when nobody is known.
    pub(crate) async fn new(parts: &mut Parts, route: &Route) -> Option<Draft> {
        let caller = parts.extensions.get::<Caller>().cloned()?;
        let variables = RawPathParams::from_request_parts(parts, &()).await.ok();
        let id = variables.as_ref().and_then(|all| all.iter().find(|(name, _)| *name == "id"));
        let run = id.and_then(|(_, id)| id.parse().ok());
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
        Some(Draft(Deed {
            who: caller.who.to_string(),
            action: route.action?.as_str().to_owned(),
            namespace: caller.namespace,
            run,
            target: format!("{} {}", parts.method, uri.path()),
            reason: None,
            outcome: String::new(),
            request_id: parts
                .extensions
                .get::<RequestId>()
                .map(|RequestId(id)| id.clone())
                .unwrap_or_default(),
        }))
    }

    /// Writes it down with its outcome. The deed is done by then: an audit that cannot be written is an error of ours to be
    /// seen to, not the caller's.
    pub(crate) async fn note(self, service: &Arc<Service>, mut response: Response) -> Response {
        let Draft(mut deed) = self;
        if response.extensions_mut().remove::<Replayed>().is_some() || !service.has_desk() {
            return response;
        }
        let shown = response.extensions_mut().remove::<Shown>();
        if matches!(shown, Some(Shown::Proposed)) {
            return response;
        }
        let facts = response.extensions_mut().remove::<Facts>().unwrap_or_default();
        deed.reason = facts.reason;
        let problem = response.extensions().get::<Problem>();
        let code = match shown {
            Some(Shown::Refused(code)) => Some(code),
            Some(Shown::Proposed) | None => problem.map(Problem::code),
        };
        deed.outcome = code.map_or("ok", Code::as_str).to_owned();
        let noted = async {
            let desk = service.desk().await?;
            if facts.runs.is_empty() {
                desk.note(&deed).await?;
            }
            for run in facts.runs {
                deed.run = Some(run);
                desk.note(&deed).await?;
            }
            Ok::<_, Problem>(())
        };
        if let Err(problem) = noted.await {
            tracing::error!(?deed, error = problem.detail(), "a deed is not in the audit");
        }
        response
    }
}
