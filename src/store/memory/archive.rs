//! The archive in memory: there is none, a world keeps everything for as long as it lives.

use std::time::Duration;

use super::MemoryStore;
use super::faults::Call;
use crate::model::{RunId, RunState, Timestamp};
use crate::store::{
    Answer, Archive, PassBegun, Policy, PolicyScope, Pruned, RawEvent, Retention, Step, StoreError, Tally,
};

fn refused<T: Send>(what: &'static str) -> Answer<'static, T> {
    Box::pin(async move { Err(StoreError::NeedsPostgres { what }) })
}

impl Archive for MemoryStore {
    fn raw_log(&self, run: RunId, after: u32, limit: u32) -> Answer<'_, Vec<RawEvent>> {
        self.call(Call::of("raw_log"), move |world, _| Ok(world.raw_log(run, after, limit)))
    }

    fn import<'a>(&'a self, _state: &'a RunState, _log: &'a [RawEvent]) -> Answer<'a, bool> {
        refused("an import")
    }

    fn retention(&self) -> Answer<'_, Retention> {
        let policies =
            vec![Policy { scope: PolicyScope::default(), archive_after: None, delete_after: None }];
        let retention = Retention {
            policies,
            holder: None,
            begun_at: None,
            ended_at: None,
            next_at: Timestamp::MAX_UTC,
            failure: None,
            last: Tally::default(),
            archived_ever: 0,
            deleted_ever: 0,
        };
        Box::pin(async { Ok(retention) })
    }

    fn set_policy<'a>(&'a self, _policy: &'a Policy) -> Answer<'a, ()> {
        refused("retention")
    }

    fn unset_policy<'a>(&'a self, _scope: &'a PolicyScope) -> Answer<'a, bool> {
        refused("retention")
    }

    fn begin_pass<'a>(&'a self, _by: &'a str, _now: bool) -> Answer<'a, PassBegun> {
        Box::pin(async { Ok(PassBegun::Never) })
    }

    fn prune<'a>(&'a self, _step: &'a Step) -> Answer<'a, Pruned> {
        Box::pin(async { Ok(Pruned::default()) })
    }

    fn end_pass<'a>(&'a self, _error: Option<&'a str>, _next: Duration) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}
