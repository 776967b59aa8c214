//! Futures that the code spawns.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;

use super::pen::Pen;
use super::step::{Polled, in_step};
use crate::telemetry::{self, Paper};

/// A future that belongs to a task, and to a step's body if it was made there, on whatever thread it is polled.
pub(super) struct Spawned<T> {
    future: BoxFuture<'static, T>,
    paper: Arc<dyn Paper>,
    step: Option<Polled>,
}

impl<T> Spawned<T> {
    pub(super) fn new(future: BoxFuture<'static, T>, pen: Arc<Pen>, step: Option<Polled>) -> Spawned<T> {
        Spawned { future, paper: pen, step }
    }
}

impl<T> Future for Spawned<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        telemetry::on(&this.paper, || match &this.step {
            Some(step) => in_step(step, || this.future.as_mut().poll(context)),
            None => this.future.as_mut().poll(context),
        })
    }
}
