//! Futures that the code spawns.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;

use super::step::{Polled, in_step, polled};
use crate::telemetry::{self, Paper, Remote};

/// Spawns a future that keeps the caller's place: inside a task its `tracing` events are lines of that task, and of the step in
/// whose body it is spawned, and (feature `otel`) the spans that it opens stand under the span that is current here.
/// `tokio::spawn` keeps none of that. As [`Cx::spawn`](crate::Cx::spawn), for code that has no `cx` at hand.
pub fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_on(telemetry::paper(), future)
}

/// Spawns a future that keeps the caller's place and writes its lines on `paper`.
pub(super) fn spawn_on<F>(paper: Option<Arc<dyn Paper>>, future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(Spawned { future: Box::pin(future), paper, remote: Remote::current(), step: polled() })
}

/// A future that belongs to a task, and to a step's body if it was made there, on whatever thread it is polled.
struct Spawned<T> {
    future: BoxFuture<'static, T>,
    paper: Option<Arc<dyn Paper>>,
    remote: Remote,
    step: Option<Polled>,
}

impl<T> Future for Spawned<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Spawned { future, paper, remote, step } = &mut *self;
        let mut poll = || remote.during(|| future.as_mut().poll(context));
        let mut in_its_step = || match step {
            Some(step) => in_step(step, &mut poll),
            None => poll(),
        };
        match paper {
            Some(paper) => telemetry::on(paper, remote, in_its_step),
            None => in_its_step(),
        }
    }
}
