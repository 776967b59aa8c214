//! The contract's part on the archive.

use std::time::Duration;

use super::dedicated::{within, within_limit};
use super::{PostgresStore, archived, retention, runs};
use crate::model::{RunId, RunState};
use crate::store::{Answer, Archive, PassBegun, Policy, PolicyScope, Pruned, RawEvent, Retention, Step};

/// How long a step of a pass may take: its statements have a minute each, and there are three of them.
const STEP_MAX: Duration = Duration::from_secs(200);

impl Archive for PostgresStore {
    fn raw_log(&self, run: RunId, after: u32, limit: u32) -> Answer<'_, Vec<RawEvent>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = runs::raw_log(&mut borrowed, run, after, limit).await;
            borrowed.settle(answer).await
        }))
    }

    fn import<'a>(&'a self, state: &'a RunState, log: &'a [RawEvent]) -> Answer<'a, bool> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = archived::import(&mut borrowed, state, log).await;
            borrowed.settle(answer).await
        }))
    }

    fn retention(&self) -> Answer<'_, Retention> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = retention::read(&mut borrowed).await;
            borrowed.settle(answer).await
        }))
    }

    fn set_policy<'a>(&'a self, policy: &'a Policy) -> Answer<'a, ()> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = retention::set_policy(&mut borrowed, policy).await;
            borrowed.settle(answer).await
        }))
    }

    fn unset_policy<'a>(&'a self, scope: &'a PolicyScope) -> Answer<'a, bool> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = retention::unset_policy(&mut borrowed, scope).await;
            borrowed.settle(answer).await
        }))
    }

    fn begin_pass<'a>(&'a self, by: &'a str, now: bool) -> Answer<'a, PassBegun> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = retention::begin_pass(&mut borrowed, self.token, by, now).await;
            borrowed.settle(answer).await
        }))
    }

    fn prune<'a>(&'a self, step: &'a Step) -> Answer<'a, Pruned> {
        Box::pin(within_limit(STEP_MAX, async move {
            let mut taken = self.pruning.take().await?;
            let answer = retention::prune(&mut taken.connection, self.route, self.token, step).await;
            taken.settle(answer).await
        }))
    }

    fn end_pass<'a>(&'a self, error: Option<&'a str>, next: Duration) -> Answer<'a, ()> {
        Box::pin(within(async move {
            self.pruning.close().await;
            let mut borrowed = self.borrow().await?;
            let answer = retention::end_pass(&mut borrowed, self.token, error, next).await;
            borrowed.settle(answer).await
        }))
    }
}
