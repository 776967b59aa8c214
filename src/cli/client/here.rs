//! The REST interface's router in this process, on a database: for when no service runs.

use std::str::FromStr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use futures_util::StreamExt;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tower::ServiceExt;

use super::stream::Messages;
use super::{Failure, Request};
use crate::cli::{Workflows, database};
use crate::http::{self, Access, InThisProcess};
use crate::model::{Namespace, Redaction};
use crate::runtime::{Error, Runtime};
use crate::store::StoreError;

/// How the process stands in for a service.
pub(in crate::cli) struct Local {
    /// The embedder's workflows: they check inputs.
    pub(in crate::cli) workflows: Workflows,
    /// Whose runs are seen; everybody's unless told.
    pub(in crate::cli) namespace: Option<Namespace>,
    /// Which values are hidden.
    pub(in crate::cli) redaction: Redaction,
}

pub(super) struct Here {
    router: axum::Router,
    runtime: Runtime,
    pool: PgPool,
    place: String,
}

/// A command asks one thing at a time, and its stream another.
const CONNECTIONS_MAX: u32 = 4;

const CONNECT_MAX: Duration = Duration::from_secs(10);

impl Here {
    pub(super) async fn open(url: &str, local: Local) -> Result<Here, Failure> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| Failure::Usage(format!("the database's URL cannot be read: {error}")))?;
        let place = format!("the database {}", database::place(&options));
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX).acquire_timeout(CONNECT_MAX);
        let pool = pool.connect_lazy_with(options);
        let builder = local.workflows.serve(Runtime::builder(pool.clone()));
        let runtime = builder.client().migrate(false).node_name("cli").start().await;
        let runtime = runtime.map_err(|error| failed(&place, &error))?;
        let who = who();
        let access = move |_: &axum::http::request::Parts| {
            let access = Access::all(who.clone());
            match &local.namespace {
                Some(namespace) => access.in_namespace(namespace.clone()),
                None => access,
            }
        };
        let router = http::router(&runtime).hiding(local.redaction).access(access).into_router();
        Ok(Here { router, runtime, pool, place })
    }

    pub(super) async fn ask(&self, request: Request) -> Result<(StatusCode, Bytes), Failure> {
        let answer = self.answer(request).await?;
        let status = answer.status();
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
        Ok((status, body.map_err(|error| self.broken(&error))?))
    }

    pub(super) async fn stream(&self, request: Request) -> Result<Messages, Failure> {
        let answer = self.answer(request).await?;
        if !answer.status().is_success() {
            let status = answer.status();
            let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
            return Err(Failure::refused(status, &body.map_err(|error| self.broken(&error))?));
        }
        let what = self.place.clone();
        let broken =
            move |error: axum::Error| Failure::Unreachable { what: what.clone(), why: error.to_string() };
        Ok(Messages::new(answer.into_body().into_data_stream().map(move |piece| piece.map_err(&broken))))
    }

    pub(super) async fn close(self) {
        // A client owns nothing: there is nothing to wait for.
        let _left = self.runtime.shutdown(Duration::ZERO).await;
        self.pool.close().await;
    }

    async fn answer(&self, request: Request) -> Result<axum::response::Response, Failure> {
        let path = match request.url.query() {
            Some(query) => format!("{}?{query}", request.url.path()),
            None => request.url.path().to_owned(),
        };
        let mut prepared = axum::http::Request::builder().method(request.method).uri(path);
        if let Some(once) = request.once {
            prepared = prepared.header("idempotency-key", once);
        }
        prepared = prepared.extension(InThisProcess);
        if let Some(body) = &request.body {
            prepared = prepared.header(header::CONTENT_TYPE, body.kind);
        }
        let prepared = prepared.body(request.body.map_or_else(Body::empty, |body| Body::from(body.bytes)));
        let prepared = prepared.map_err(|error| Failure::Usage(error.to_string()))?;
        let answer = self.router.clone().oneshot(prepared).await;
        Ok(answer.unwrap_or_else(|never| match never {}))
    }

    fn broken(&self, error: &axum::Error) -> Failure {
        Failure::Unreachable { what: self.place.clone(), why: error.to_string() }
    }
}

/// The name under which this person's deeds are recorded: the account's.
fn who() -> String {
    let account = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    format!("{} (cli)", account.filter(|name| !name.is_empty()).unwrap_or_else(|| "somebody".to_owned()))
}

fn failed(place: &str, error: &Error) -> Failure {
    match error {
        Error::Store(StoreError::SchemaTooOld { found: 0, .. }) => Failure::NotFound(format!(
            "{place} holds no runs: `runlog migrate` or a service's first start makes it ready"
        )),
        Error::Store(StoreError::SchemaTooOld { .. } | StoreError::SchemaTooNew { .. }) => {
            Failure::Other(format!("{place}: {error}"))
        }
        Error::Store(StoreError::Unavailable { source }) => {
            Failure::Unreachable { what: place.to_owned(), why: source.to_string() }
        }
        error => Failure::Other(format!("{place}: {error}")),
    }
}
