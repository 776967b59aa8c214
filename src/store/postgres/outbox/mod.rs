//! The contract's part on the outbox: on a connection of its own, so that an export never waits for the engine's, nor the
//! engine for it.

mod lease;
mod place;
mod rows;
mod sweep;

use std::time::Duration;

use super::PostgresStore;
use super::dedicated::within;
use crate::model::RunId;
use crate::store::Answer;
use crate::store::outbox::{
    Backlog, Commits, ExportBegun, Logs, Outbox, OutboxRow, Place, RefusedSpan, Sweep, Tended,
};

impl Outbox for PostgresStore {
    fn begin_export<'a>(&'a self, by: &'a str, lease: Duration) -> Answer<'a, ExportBegun> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = lease::begin(&mut borrowed, self.token, by, lease).await;
            borrowed.settle(answer).await
        }))
    }

    // Not on the export's own connection, which may be at work.
    fn hold_export(&self, lease: Duration) -> Answer<'_, bool> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = lease::hold(&mut borrowed, self.token, lease).await;
            borrowed.settle(answer).await
        }))
    }

    fn end_export(&self) -> Answer<'_, ()> {
        Box::pin(within(async move {
            self.exporting.close().await;
            let mut borrowed = self.borrow().await?;
            let answer = lease::end(&mut borrowed, self.token).await;
            borrowed.settle(answer).await
        }))
    }

    fn tend_export(&self) -> Answer<'_, Tended> {
        Box::pin(within(async move {
            let mut taken = self.exporting.take().await?;
            let answer = lease::tend(&mut taken.connection, self.token).await;
            taken.settle(answer).await
        }))
    }

    fn outbox<'a>(&'a self, place: &'a Place, limit: u32) -> Answer<'a, Commits> {
        Box::pin(within(async move {
            let mut taken = self.exporting.take().await?;
            let answer = rows::read(&mut taken.connection, place, limit).await;
            taken.settle(answer).await
        }))
    }

    fn pass_outbox<'a>(
        &'a self,
        rows: &'a [OutboxRow],
        refused: &'a [RefusedSpan],
        lease: Duration,
    ) -> Answer<'a, bool> {
        Box::pin(within(async move {
            let mut taken = self.exporting.take().await?;
            let answer = rows::pass(&mut taken.connection, self.token, rows, refused, lease).await;
            taken.settle(answer).await
        }))
    }

    fn sweep(&self) -> Answer<'_, Sweep> {
        Box::pin(within(async move {
            let mut taken = self.exporting.take().await?;
            let answer = sweep::next(&mut taken.connection, self.token).await;
            taken.settle(answer).await
        }))
    }

    fn swept(&self, next: Option<RunId>) -> Answer<'_, ()> {
        Box::pin(within(async move {
            let mut taken = self.exporting.take().await?;
            let answer = sweep::done(&mut taken.connection, self.token, next).await;
            taken.settle(answer).await
        }))
    }

    fn grown<'a>(&'a self, runs: &'a [(RunId, u32)], limit: u32) -> Answer<'a, Logs> {
        Box::pin(within(async move {
            let mut taken = self.exporting.take().await?;
            let answer = rows::grown(&mut taken.connection, runs, limit).await;
            taken.settle(answer).await
        }))
    }

    fn ended<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<RunId>> {
        Box::pin(within(async move {
            let mut taken = self.exporting.take().await?;
            let answer = rows::ended(&mut taken.connection, runs).await;
            taken.settle(answer).await
        }))
    }

    fn backlog(&self) -> Answer<'_, Backlog> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = lease::backlog(&mut borrowed).await;
            borrowed.settle(answer).await
        }))
    }

    fn refused_spans(&self, limit: u32) -> Answer<'_, Vec<RefusedSpan>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = rows::refused(&mut borrowed, limit).await;
            borrowed.settle(answer).await
        }))
    }
}
