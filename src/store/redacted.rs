//! What a service reads: the store, without the values that it hides.
//!
//! One place, so that whatever is folded, listed, compared, streamed or exported from it was redacted before. It answers
//! readers alone: what the engine asks would be worked on with values that are not there, and is refused.

use std::sync::Arc;
use std::time::Duration;

use super::outbox::{Backlog, Commits, ExportBegun, Logs, OutboxRow, Place, RefusedSpan, Sweep, Tended};
use super::writings::{NewChunk, Written};
use super::{
    Alike, Answer, Append, Appended, Archive, Ask, Asked, AtGate, Chunk, Claimed, Commit, Created,
    FailureGroups, Firing, Flow, Heartbeat, Inbox, Joined, KeyedSignal, KnownLimit, KnownWorkflow,
    LevelCounts, LimitKey, LiveRuns, Loaded, LogLine, LogQuery, NewPause, NewSchedule, NewTriggerEvent, News,
    NextSchedule, NodeInfo, NodeRow, Outbox, PassBegun, Pause, Policy, PolicyScope, Posted, Pruned, Put,
    RawEvent, Registered, Rescue, Retention, RunCount, RunPage, RunQuery, RunRow, RunsEnded, ScheduleQuery,
    ScheduleRow, Schedules, Seen, Sent, Serving, Shape, SignalId, Signals, Steer, Step, Store, StoreError,
    SubscriptionRow, Survey, Told, TriggerEventQuery, TriggerEventRow, Triggers, Wanted, Writings,
};
use crate::model::{
    EventId, EventKey, Key, MessageBody, MessageId, Namespace, NodeId, Recorded, Redaction, RunId, RunState,
    RunSummary, ScheduleName, StreamName, SubscriptionName, Timestamp, Version, WorkflowName,
};

/// A store as a service's readers see it.
pub(crate) struct Redacted {
    inner: Arc<dyn Store>,
    redaction: Arc<Redaction>,
}

impl Redacted {
    /// Hides what `redaction` names; where it names nothing, the store stays as it is.
    pub(crate) fn over(inner: Arc<dyn Store>, redaction: &Arc<Redaction>) -> Arc<dyn Store> {
        if redaction.is_empty() {
            return inner;
        }
        Arc::new(Redacted { inner, redaction: Arc::clone(redaction) })
    }

    /// Reads something, and hides in it what is to be hidden.
    fn shown<'a, T: Send + 'a>(
        &'a self,
        answer: Answer<'a, T>,
        hide: impl FnOnce(&Redaction, &mut T) + Send + 'a,
    ) -> Answer<'a, T> {
        Box::pin(async move {
            let mut found = answer.await?;
            hide(&self.redaction, &mut found);
            Ok(found)
        })
    }
}

/// Questions whose answers hold no value of users'.
macro_rules! passed {
    ($(fn $name:ident $(<$of:lifetime>)? (& $($own:lifetime)? self $(, $what:ident: $kind:ty)*) -> $answer:ty;)*) => {
        $(fn $name $(<$of>)? (& $($own)? self $(, $what: $kind)*) -> $answer {
            self.inner.$name($($what),*)
        })*
    };
}

/// What only the engine asks.
macro_rules! refused {
    ($(fn $name:ident $(<$of:lifetime>)? (& $($own:lifetime)? self $(, $what:ident: $kind:ty)*) -> $answer:ty;)*) => {
        $(fn $name $(<$of>)? (& $($own)? self $(, $what: $kind)*) -> $answer {
            $(let _unused = $what;)*
            no_reader_asks(stringify!($name))
        })*
    };
}

fn no_reader_asks<'a, T: Send + 'a>(what: &'static str) -> Answer<'a, T> {
    let message = format!("{what} was asked of a store that hides values: it answers readers alone");
    Box::pin(async move { Err(StoreError::Bug { message }) })
}

impl Store for Redacted {
    fn log(&self, run: RunId, after: u32, limit: u32) -> Answer<'_, Vec<Recorded>> {
        self.shown(self.inner.log(run, after, limit), |redaction, log| {
            log.iter_mut().for_each(|recorded| recorded.event.redact(redaction));
        })
    }

    passed! {
        fn registered<'a>(&'a self, workflow: &'a WorkflowName) -> Answer<'a, Option<Registered>>;
        fn row(&self, run: RunId) -> Answer<'_, Option<RunRow>>;
        fn summaries<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<RunSummary>>;
        fn list<'a>(&'a self, query: &'a RunQuery) -> Answer<'a, RunPage>;
        fn count<'a>(&'a self, query: &'a RunQuery) -> Answer<'a, RunCount>;
        fn failures<'a>(&'a self, query: &'a RunQuery) -> Answer<'a, FailureGroups>;
        fn when_ended<'a>(&'a self, query: &'a RunQuery, every: Duration) -> Answer<'a, RunsEnded>;
        fn seen<'a>(&'a self, namespace: &'a Namespace) -> Answer<'a, Seen>;
        fn survey<'a>(
            &'a self, listed: &'a RunQuery, counted: &'a RunQuery, failed: &'a RunQuery
        ) -> Answer<'a, Survey>;
        fn alike(&self, run: RunId, named: u32) -> Answer<'_, Option<Alike>>;
        fn find<'a>(
            &'a self, namespace: &'a Namespace, workflow: &'a WorkflowName, key: &'a Key
        ) -> Answer<'a, Option<RunId>>;
        fn children(&self, run: RunId, limit: u32) -> Answer<'_, Vec<RunRow>>;
        fn last_good(&self, run: RunId, limit: u32) -> Answer<'_, Vec<RunId>>;
        fn replays(&self, run: RunId, limit: u32) -> Answer<'_, Vec<RunRow>>;
        fn serving<'a>(&'a self, workflow: &'a WorkflowName, version: &'a Version) -> Answer<'a, Serving>;
        fn nodes(&self, limit: u32) -> Answer<'_, Vec<NodeRow>>;
        fn workflows<'a>(&'a self, name: Option<&'a WorkflowName>, limit: u32) -> Answer<'a, Vec<KnownWorkflow>>;
        fn live_runs(&self) -> Answer<'_, LiveRuns>;
        fn now(&self) -> Answer<'_, Timestamp>;
    }

    refused! {
        fn join<'a>(&'a self, node: &'a NodeInfo, lanes: u16, lease: Duration) -> Answer<'a, Joined>;
        fn heartbeat(&self, node: NodeId, lease: Duration) -> Answer<'_, Heartbeat>;
        fn leave(&self, node: NodeId) -> Answer<'_, ()>;
        fn rescue(&self) -> Answer<'_, Rescue>;
        fn register<'a>(&'a self, workflows: &'a [Shape]) -> Answer<'a, ()>;
        fn append<'a>(&'a self, node: NodeId, lane: u16, batch: &'a [Commit]) -> Answer<'a, Appended>;
        fn create<'a>(&'a self, runs: &'a [Append]) -> Answer<'a, Vec<Created>>;
        fn claim<'a>(&'a self, node: NodeId, wanted: &'a Wanted) -> Answer<'a, Claimed>;
        fn held(&self, node: NodeId) -> Answer<'_, Vec<RunId>>;
        fn load<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<Loaded>>;
        fn inbox<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<Inbox>>;
        fn send<'a>(&'a self, run: RunId, body: &'a MessageBody) -> Answer<'a, Sent>;
        fn is_waiting(&self, run: RunId, message: MessageId) -> Answer<'_, bool>;
        fn keep_snapshot<'a>(&'a self, state: &'a RunState) -> Answer<'a, ()>;
        fn announce<'a>(&'a self, news: &'a [News]) -> Answer<'a, ()>;
        fn listen(&self) -> Answer<'_, Vec<News>>;
        fn checkpoint<'a>(
            &'a self, transaction: &'a mut sqlx::PgTransaction<'static>, node: NodeId, lane: u16, append: &'a Append
        ) -> Answer<'a, Timestamp>;
        fn begin(&self) -> Answer<'_, sqlx::PgTransaction<'static>>;
    }

    fn pool(&self) -> Option<&sqlx::PgPool> {
        None
    }
}

impl Archive for Redacted {
    fn raw_log(&self, run: RunId, after: u32, limit: u32) -> Answer<'_, Vec<RawEvent>> {
        Box::pin(async move {
            let mut lines = self.inner.raw_log(run, after, limit).await?;
            for line in &mut lines {
                let hidden = line.redact(&self.redaction);
                // What cannot be read cannot be looked through.
                hidden.map_err(|error| StoreError::Corrupt {
                    table: "events",
                    column: "payload",
                    row: format!("{run}/{}", line.seq),
                    message: error.to_string(),
                })?;
            }
            Ok(lines)
        })
    }

    passed! {
        fn retention(&self) -> Answer<'_, Retention>;
    }

    refused! {
        fn import<'a>(&'a self, state: &'a RunState, log: &'a [RawEvent]) -> Answer<'a, bool>;
        fn set_policy<'a>(&'a self, policy: &'a Policy) -> Answer<'a, ()>;
        fn unset_policy<'a>(&'a self, scope: &'a PolicyScope) -> Answer<'a, bool>;
        fn begin_pass<'a>(&'a self, by: &'a str, now: bool) -> Answer<'a, PassBegun>;
        fn prune<'a>(&'a self, step: &'a Step) -> Answer<'a, Pruned>;
        fn end_pass<'a>(&'a self, error: Option<&'a str>, next: Duration) -> Answer<'a, ()>;
    }
}

impl Flow for Redacted {
    passed! {
        fn pauses<'a>(&'a self, namespace: Option<&'a Namespace>, limit: u32) -> Answer<'a, Vec<Pause>>;
        fn pause_of<'a>(
            &'a self, workflow: &'a WorkflowName, namespace: &'a Namespace
        ) -> Answer<'a, Option<Pause>>;
        fn at_gate(&self, run: RunId) -> Answer<'_, Option<AtGate>>;
        fn limits<'a>(&'a self, workflow: Option<&'a WorkflowName>, rows: u32) -> Answer<'a, Vec<KnownLimit>>;
        fn limit_keys<'a>(
            &'a self, workflow: &'a WorkflowName, namespace: Option<&'a Namespace>, rows: u32
        ) -> Answer<'a, Vec<LimitKey>>;
        fn held_back<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<RunId>>;
    }

    refused! {
        fn pause<'a>(&'a self, pause: &'a NewPause) -> Answer<'a, bool>;
        fn resume<'a>(&'a self, workflow: &'a WorkflowName, namespace: &'a Namespace) -> Answer<'a, bool>;
    }
}

impl Outbox for Redacted {
    passed! {
        fn backlog(&self) -> Answer<'_, Backlog>;
        fn refused_spans(&self, limit: u32) -> Answer<'_, Vec<RefusedSpan>>;
    }

    refused! {
        fn begin_export<'a>(&'a self, by: &'a str, lease: Duration) -> Answer<'a, ExportBegun>;
        fn hold_export(&self, lease: Duration) -> Answer<'_, bool>;
        fn end_export(&self) -> Answer<'_, ()>;
        fn tend_export(&self) -> Answer<'_, Tended>;
        fn outbox<'a>(&'a self, place: &'a Place, limit: u32) -> Answer<'a, Commits>;
        fn pass_outbox<'a>(
            &'a self, rows: &'a [OutboxRow], refused: &'a [RefusedSpan], lease: Duration
        ) -> Answer<'a, bool>;
        fn sweep(&self) -> Answer<'_, Sweep>;
        fn swept(&self, next: Option<RunId>) -> Answer<'_, ()>;
        fn grown<'a>(&'a self, runs: &'a [(RunId, u32)], limit: u32) -> Answer<'a, Logs>;
        fn ended<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<RunId>>;
    }
}

impl Schedules for Redacted {
    fn schedules_named<'a>(
        &'a self,
        namespace: &'a Namespace,
        names: &'a [ScheduleName],
    ) -> Answer<'a, Vec<ScheduleRow>> {
        self.shown(self.inner.schedules_named(namespace, names), |redaction, rows| {
            in_schedules(redaction, rows)
        })
    }

    fn schedules<'a>(&'a self, query: &'a ScheduleQuery) -> Answer<'a, Vec<ScheduleRow>> {
        self.shown(self.inner.schedules(query), |redaction, rows| in_schedules(redaction, rows))
    }

    refused! {
        fn put_schedules<'a>(&'a self, new: &'a [NewSchedule], replace: bool) -> Answer<'a, Vec<Put>>;
        fn steer_schedules<'a>(&'a self, steers: &'a [Steer]) -> Answer<'a, Vec<bool>>;
        fn delete_schedules<'a>(
            &'a self, namespace: &'a Namespace, names: &'a [ScheduleName]
        ) -> Answer<'a, Vec<ScheduleName>>;
        fn next_schedule(&self) -> Answer<'_, NextSchedule>;
        fn due_schedules(&self, limit: u32) -> Answer<'_, Vec<ScheduleRow>>;
        fn fire<'a>(&'a self, firings: &'a [Firing]) -> Answer<'a, Vec<bool>>;
        fn note_schedule_failure<'a>(
            &'a self, schedule: i64, revision: i32, failure: &'a str, retry_at: Timestamp
        ) -> Answer<'a, ()>;
        fn sweep_schedules(&self) -> Answer<'_, u64>;
    }
}

fn in_schedules(redaction: &Redaction, rows: &mut [ScheduleRow]) {
    rows.iter_mut().for_each(|row| redaction.hide(&mut row.spec.input));
}

impl Signals for Redacted {
    refused! {
        fn post_signal<'a>(&'a self, signal: &'a KeyedSignal) -> Answer<'a, Posted>;
        fn tell_signal(&self, signal: SignalId) -> Answer<'_, Told>;
        fn ask_signal<'a>(&'a self, ask: &'a Ask) -> Answer<'a, Asked>;
        fn untold_signals(&self, limit: u32) -> Answer<'_, Vec<SignalId>>;
    }
}

impl Triggers for Redacted {
    fn trigger_event<'a>(
        &'a self,
        namespace: &'a Namespace,
        id: &'a EventId,
    ) -> Answer<'a, Option<TriggerEventRow>> {
        self.shown(self.inner.trigger_event(namespace, id), |redaction, row| {
            row.iter_mut().for_each(|row| redaction.hide(&mut row.event.payload));
        })
    }

    fn trigger_events<'a>(&'a self, query: &'a TriggerEventQuery) -> Answer<'a, Vec<TriggerEventRow>> {
        self.shown(self.inner.trigger_events(query), |redaction, rows| {
            rows.iter_mut().for_each(|row| redaction.hide(&mut row.event.payload));
        })
    }

    passed! {
        fn subscriptions<'a>(
            &'a self, namespace: &'a Namespace, key: Option<&'a EventKey>, after: Option<&'a SubscriptionName>, limit: u32
        ) -> Answer<'a, Vec<SubscriptionRow>>;
    }

    refused! {
        fn put_subscriptions<'a>(&'a self, new: &'a [SubscriptionRow], replace: bool) -> Answer<'a, Vec<Put>>;
        fn delete_subscription<'a>(
            &'a self, namespace: &'a Namespace, name: &'a SubscriptionName
        ) -> Answer<'a, bool>;
        fn push<'a>(&'a self, event: &'a NewTriggerEvent, runs: &'a [Append]) -> Answer<'a, bool>;
        fn sweep_trigger_events(&self) -> Answer<'_, u64>;
    }
}

impl Writings for Redacted {
    fn lines<'a>(&'a self, run: RunId, query: &'a LogQuery) -> Answer<'a, Vec<LogLine>> {
        self.shown(self.inner.lines(run, query), |redaction, lines| {
            lines
                .iter_mut()
                .filter_map(|line| line.line.fields.as_mut())
                .for_each(|fields| redaction.hide(fields));
        })
    }

    fn chunks<'a>(
        &'a self,
        run: RunId,
        stream: &'a StreamName,
        after: u32,
        limit: u32,
    ) -> Answer<'a, Vec<Chunk>> {
        self.shown(self.inner.chunks(run, stream, after, limit), |redaction, chunks| {
            chunks.iter_mut().for_each(|chunk| redaction.hide(&mut chunk.data));
        })
    }

    passed! {
        fn line_counts<'a>(&'a self, run: RunId, query: &'a LogQuery) -> Answer<'a, LevelCounts>;
        fn streams(&self, run: RunId) -> Answer<'_, Vec<(StreamName, u32)>>;
    }

    refused! {
        fn write_lines<'a>(&'a self, lines: &'a [(RunId, LogLine)]) -> Answer<'a, ()>;
        fn write_chunks<'a>(&'a self, chunks: &'a [NewChunk]) -> Answer<'a, Vec<Written>>;
    }
}
