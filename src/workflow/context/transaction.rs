//! A step whose SQL and whose checkpoint are one commit.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::cx::Cx;
use super::drive::of_panic;
use super::step::{StepCore, in_step};
use crate::model::{Failure, Payload, Report, Verdict};
use crate::workflow::{CxError, TaskFailure};

/// A transaction under construction, and the future of its outcome.
///
/// # Errors
/// As for [`Step`](super::Step); a failed one left nothing in the database, and is tried again in the task's next
/// attempt.
#[must_use = "a transaction runs when it is awaited"]
pub struct Transaction<'code, T> {
    core: StepCore,
    begin: Option<Begin<'code, T>>,
    running: Option<(BoxFuture<'code, Result<T, TaskFailure>>, Instant)>,
}

type Begin<'code, T> = Box<dyn FnOnce() -> BoxFuture<'code, Result<T, TaskFailure>> + Send + 'code>;

impl<T> Unpin for Transaction<'_, T> {}

impl<'code, T: Serialize + DeserializeOwned + Send + 'code> Transaction<'code, T> {
    #[track_caller]
    pub(super) fn new<F, E>(cx: &Cx, name: &str, body: F) -> Transaction<'code, T>
    where
        F: for<'tx> FnOnce(&'tx mut sqlx::PgTransaction<'static>) -> BoxFuture<'tx, Result<T, E>>
            + Send
            + 'code,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'code,
    {
        let core = StepCore::new(cx, name);
        let (cx, op) = (cx.clone(), core.op.clone());
        let begin = move || {
            let run = async move {
                let began = Instant::now();
                let mut transaction = cx.host.begin().await.map_err(of_database)?;
                let output =
                    body(&mut transaction).await.map_err(|error| TaskFailure::of(error, Verdict::Retry))?;
                let payload = Payload::of(&output)?;
                let completed =
                    Report::StepCompleted { op, input_hash: None, output: payload, took: began.elapsed() };
                cx.host.commit(transaction, completed).await.map_err(of_database)?;
                Ok(output)
            };
            run.boxed()
        };
        Transaction { core, begin: Some(Box::new(begin)), running: None }
    }
}

fn of_database(error: CxError) -> TaskFailure {
    TaskFailure { failure: Failure::of("transaction", &error), verdict: Verdict::Retry }
}

impl<T: Serialize + DeserializeOwned + Send> Future for Transaction<'_, T> {
    type Output = Result<T, CxError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.running.is_none() {
            if let Some(outcome) = std::task::ready!(this.core.poll_outcome(context)) {
                return Poll::Ready(outcome);
            }
            let Some(begin) = this.begin.take() else { return Poll::Ready(Err(this.core.interrupted())) };
            this.core.cx.host.runs(&this.core.op);
            this.core.begin_execution();
            this.running = Some((begin(), Instant::now()));
        }
        let Some((running, began)) = &mut this.running else { return Poll::Pending };
        let poll = || catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context)));
        let result = match in_step(&this.core.execution, poll) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => result,
            Err(panic) => {
                let failure = of_panic(&*panic, &this.core.location());
                Err(TaskFailure { failure, verdict: Verdict::Retry })
            }
        };
        let took = began.elapsed();
        this.running = None;
        match result {
            Ok(output) => Poll::Ready(Ok(output)),
            Err(failed) => this.core.poll_failed(failed, took, context),
        }
    }
}
