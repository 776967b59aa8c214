//! What an attempt's code and whoever runs it share: recorded outcomes in, reports out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use super::child::Birth;
use super::racers;
use super::rehearsal::{Ask, Rehearsal};
use crate::model::ids::{NameError, check_op_name};
use crate::model::state::{Op, OpState};
use crate::model::{OpKey, PatchId, Report, Timestamp};
use crate::workflow::CxError;

/// The ledger of one attempt.
///
/// The code's operations look up what is recorded and report what they want recorded; the driver takes the reports
/// after each poll, and the run's actor brings back what was committed. The lock is never held across an await.
pub(crate) struct Ledger {
    attempt: u32,
    book: Mutex<Book>,
    driver: OnceLock<Waker>,
    /// Executions of steps' bodies.
    executions: AtomicU32,
    /// The code is not run but checked.
    pub(super) rehearsal: Option<Rehearsal>,
}

#[derive(Default)]
pub(super) struct Book {
    pub(super) ops: BTreeMap<OpKey, Op>,
    built: HashMap<Arc<str>, u32>,
    /// Recorded by this attempt before it was recovered, and not built by the code yet.
    pub(super) unclaimed: BTreeSet<OpKey>,
    /// How many of them this run recorded itself, and did not take over.
    pub(super) retracing: usize,
    /// Recorded by this attempt or an earlier one, and not built by the code yet: the code went past this place before.
    pub(super) ahead: BTreeSet<OpKey>,
    /// What losers of recorded races had built: the code builds it no more, and nothing else gets its place.
    lost: BTreeSet<OpKey>,
    /// A future that the code spawned has built something.
    spawned: bool,
    patches: BTreeMap<PatchId, bool>,
    /// New operations that wait for the recorded ones to be built: what the code does that the log does not.
    pub(super) held: BTreeMap<OpKey, String>,
    reports: Vec<Report>,
    births: Vec<Birth>,
    /// Batches of reports that were taken and are not committed yet.
    in_flight: u32,
    /// A step waits for them: the code goes on as soon as they are committed.
    settling: bool,
    /// The code waits for nothing else.
    at_checkpoint: bool,
    cancelled: Option<Cancelled>,
    /// Retries that were due then may go.
    told_until: Timestamp,
    pub(super) diverged: Option<String>,
    /// The driver polls the code: it takes the reports after that without being woken.
    pub(super) driving: bool,
    /// The attempt is over.
    over: bool,
    /// How often something was brought in: what was told before the last time says nothing of whether the code rests.
    news: u64,
    wakers: Vec<Waker>,
}

/// Why the attempt should end.
#[derive(Clone, Debug)]
pub(crate) struct Cancelled {
    pub(crate) reason: Option<String>,
    pub(crate) by: Option<String>,
}

/// What the driver takes out after a poll.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) reports: Vec<Report>,
    pub(crate) births: Vec<Birth>,
}

/// Says whether it counts as nothing for that attempt: what an earlier one dropped or failed at.
pub(super) fn is_stale(op: &Op, attempt: u32) -> bool {
    op.attempt < attempt && matches!(op.state, OpState::Abandoned | OpState::StepFailed { .. })
}

/// Returns what is recorded and not built yet. What was dropped does not say that the code was there.
pub(super) fn ahead(attempt: u32, recorded: &BTreeMap<OpKey, Op>) -> BTreeSet<OpKey> {
    let lost: BTreeSet<&OpKey> = recorded.values().flat_map(|op| op.state.lost()).collect();
    let counts = |(key, op): &(&OpKey, &Op)| {
        !is_stale(op, attempt) && op.state != OpState::Abandoned && !lost.contains(key)
    };
    recorded.iter().filter(counts).map(|(key, _)| key.clone()).collect()
}

impl Ledger {
    /// Makes the ledger of attempt number `attempt`, with what the log holds of its task: operations and patches.
    pub(crate) fn new(
        attempt: u32,
        recorded: BTreeMap<OpKey, Op>,
        patches: BTreeMap<PatchId, bool>,
    ) -> Ledger {
        let lost: BTreeSet<OpKey> = recorded.values().flat_map(|op| op.state.lost()).cloned().collect();
        let again = || recorded.iter().filter(|(key, _)| !lost.contains(key));
        // What was dropped outside of a race, or spawned by a loser, may have recorded what the code does not build again.
        let dropped = again().any(|(_, op)| match op.state {
            OpState::Abandoned => op.attempt == attempt,
            OpState::Race { spawned, .. } => spawned,
            _ => false,
        });
        let must_return = |(_, op): &(&OpKey, &Op)| op.attempt == attempt && !dropped;
        let unclaimed = again().filter(must_return).map(|(key, _)| key.clone()).collect();
        let retracing = again().filter(must_return).filter(|(_, op)| !op.reused).count();
        let ahead = ahead(attempt, &recorded);
        let book = Book { unclaimed, retracing, ahead, lost, patches, ops: recorded, ..Book::default() };
        let (driver, executions) = (OnceLock::new(), AtomicU32::new(0));
        Ledger { attempt, book: Mutex::new(book), driver, executions, rehearsal: None }
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims the next operation called `name`; the error says why it cannot be called that.
    ///
    /// What a race's loser had built keeps its place, so that what came after it does, too.
    pub(super) fn claim(&self, name: &str) -> (OpKey, Option<NameError>) {
        let mut book = self.book();
        let (name, count) = match book.built.get_key_value(name) {
            Some((name, count)) => (Arc::clone(name), *count),
            None => (Arc::from(name), 0),
        };
        let mut op = OpKey { name: Arc::clone(&name), occurrence: count };
        while book.lost.contains(&op) {
            op.occurrence += 1;
        }
        book.built.insert(name, op.occurrence + 1);
        book.ahead.remove(&op);
        racers::note(&op);
        book.spawned |= !book.driving;
        let returned = book.unclaimed.remove(&op);
        if returned && book.ops.get(&op).is_some_and(|op| !op.reused) {
            book.retracing = book.retracing.saturating_sub(1);
        }
        let last = returned && book.unclaimed.is_empty();
        // New operations that were polled before this one was built may begin now.
        let opens = last && !book.held.is_empty();
        book.news += u64::from(opens);
        let broken = check_op_name(&op.name).err();
        drop(book);
        if opens {
            self.wake();
        }
        (op, broken)
    }

    /// Says whether a future that the code spawned has built something.
    pub(super) fn has_spawned(&self) -> bool {
        self.book().spawned
    }

    /// Looks at what is recorded of an operation, in whatever attempt.
    pub(super) fn recorded_ever(&self, key: &OpKey) -> Option<OpState> {
        self.book().ops.get(key).map(|op| op.state.clone())
    }

    /// Looks at what is recorded of an operation. What an earlier attempt dropped or failed at counts as nothing.
    pub(super) fn recorded<T>(&self, key: &OpKey, read: impl FnOnce(&OpState) -> Option<T>) -> Option<T> {
        let book = self.book();
        let op = book.ops.get(key)?;
        if is_stale(op, self.attempt) { None } else { read(&op.state) }
    }

    /// Answers whether a patch applies: as recorded, or because nothing that is recorded lies ahead of the code.
    pub(super) fn patch(&self, patch: PatchId) -> bool {
        let mut book = self.book();
        if let Some(applies) = book.patches.get(&patch) {
            return *applies;
        }
        let applies = book.ahead.is_empty();
        book.patches.insert(patch.clone(), applies);
        drop(book);
        self.report(Report::PatchMarked { patch, applies });
        applies
    }

    /// Reports what should be recorded; the driver takes it after its poll, or is woken for it.
    pub(super) fn report(&self, report: Report) {
        if self.rehearsal.is_some() {
            return;
        }
        let mut book = self.book();
        book.reports.push(report);
        self.wake_for_reports(book);
    }

    pub(super) fn wake_for_reports(&self, book: MutexGuard<'_, Book>) {
        let spawned = !book.driving;
        drop(book);
        if let Some(driver) = self.driver.get().filter(|_| spawned) {
            driver.wake_by_ref();
        }
    }

    /// Notes that the driver polls the code and takes the reports after it, or that it does so no more.
    pub(super) fn set_driving(&self, driving: bool) {
        self.book().driving = driving;
    }

    /// Notes that the attempt is over: nothing of it is recorded any more.
    pub(crate) fn close(&self) {
        self.book().over = true;
        self.wake();
    }

    /// Refuses operations of an attempt that is over.
    pub(super) fn check_open(&self, key: &OpKey) -> Result<(), CxError> {
        self.check_open_for(|| key.to_string())
    }

    /// As [`check_open`](Ledger::check_open), for what is no operation.
    pub(super) fn check_open_for(&self, what: impl FnOnce() -> String) -> Result<(), CxError> {
        if self.book().over { Err(CxError::Over { op: what() }) } else { Ok(()) }
    }

    /// Says whether the code, run again from its beginning, has not yet built all that this run had recorded.
    pub(super) fn is_retracing(&self) -> bool {
        self.book().retracing > 0
    }

    /// Numbers one more execution of a step's body, from 1.
    pub(super) fn next_execution(&self) -> u32 {
        self.executions.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Reports a child run with what is needed to create it.
    pub(super) fn report_birth(&self, report: Report, birth: Birth) {
        if self.rehearsal.is_some() {
            return;
        }
        let mut book = self.book();
        book.reports.push(report);
        book.births.push(birth);
        self.wake_for_reports(book);
    }

    /// Waits until everything reported so far is committed: nothing new happens on outcomes that could be lost.
    pub(super) fn poll_settled(&self, context: &Context<'_>) -> Poll<()> {
        let mut book = self.book();
        if book.reports.is_empty() && book.in_flight == 0 {
            return Poll::Ready(());
        }
        book.settling = true;
        self.register_in(book, context.waker());
        Poll::Pending
    }

    /// Waits until the code built everything that the log holds: a new operation before that is a divergence. In a
    /// rehearsal nothing new ever begins.
    pub(super) fn poll_new(&self, ask: &Ask<'_>, context: &Context<'_>) -> Poll<()> {
        let mut book = self.book();
        if book.unclaimed.is_empty() && self.rehearsal.is_none() {
            book.held.remove(ask.op);
            return Poll::Ready(());
        }
        book.held.insert(ask.op.clone(), format!("{} {}", ask.kind, ask.op));
        self.register_in(book, context.waker());
        Poll::Pending
    }

    /// Registers interest in any change, unless the driver polls anyway.
    pub(super) fn register(&self, waker: &Waker) {
        self.register_in(self.book(), waker);
    }

    fn register_in(&self, mut book: MutexGuard<'_, Book>, waker: &Waker) {
        let driven = self.driver.get().is_some_and(|driver| waker.will_wake(driver));
        if !driven && !book.wakers.iter().any(|known| known.will_wake(waker)) {
            book.wakers.push(waker.clone());
        }
    }

    /// Wakes the driver and everyone registered.
    pub(super) fn wake(&self) {
        let wakers = std::mem::take(&mut self.book().wakers);
        wakers.into_iter().for_each(Waker::wake);
        if let Some(driver) = self.driver.get() {
            driver.wake_by_ref();
        }
    }

    pub(super) fn set_driver(&self, waker: Waker) {
        let _only_once = self.driver.set(waker);
    }

    pub(super) fn cancelled(&self) -> Option<Cancelled> {
        self.book().cancelled.clone()
    }

    pub(super) fn is_due(&self, at: Timestamp) -> bool {
        self.book().told_until >= at
    }

    pub(super) fn children(&self) -> usize {
        self.book().ops.values().filter(|op| matches!(op.state, OpState::Child { .. })).count()
    }

    /// Says whether somebody outside the driver's own poll waits for a change.
    pub(super) fn has_outside_wakers(&self) -> bool {
        !self.book().wakers.is_empty()
    }

    /// Says whether a step waits for the commit of what was reported; `rests` when nothing else of the code is at work.
    pub(super) fn is_settling(&self, rests: bool) -> bool {
        let mut book = self.book();
        book.at_checkpoint = rests && book.settling;
        book.settling
    }

    /// Says whether the code only waits for a commit, which just came, with `answered` batches of its reports: dropped
    /// now, it loses nothing.
    pub(crate) fn is_at_checkpoint(&self, answered: u32) -> bool {
        let book = self.book();
        book.at_checkpoint && book.reports.is_empty() && book.in_flight <= answered
    }

    /// Takes what should be recorded; until [`committed`](Ledger::committed) it counts as in flight.
    pub(super) fn take(&self) -> Outbox {
        let mut book = self.book();
        if book.reports.is_empty() {
            return Outbox::default();
        }
        book.in_flight += 1;
        Outbox { reports: std::mem::take(&mut book.reports), births: std::mem::take(&mut book.births) }
    }

    /// Returns how often something was brought in that may set the code going.
    pub(crate) fn news(&self) -> u64 {
        self.book().news
    }

    /// Brings back a commit: what it recorded, and how many batches of reports it answers.
    pub(crate) fn committed(&self, batches: u32, ops: impl IntoIterator<Item = (OpKey, Op)>) {
        let mut book = self.book();
        book.in_flight = book.in_flight.saturating_sub(batches);
        book.settling = false;
        book.at_checkpoint = false;
        book.ops.extend(ops);
        book.news += 1;
        drop(book);
        self.wake();
    }

    /// Tells the code that its run is being cancelled.
    pub(crate) fn cancel(&self, cancelled: Cancelled) {
        let mut book = self.book();
        book.cancelled.get_or_insert(cancelled);
        book.news += 1;
        drop(book);
        self.wake();
    }

    /// Tells the code what time it is, so that step retries that are due may go.
    ///
    /// Says whether that is news; the driver then tells again whether the code rests.
    pub(crate) fn tell_time(&self, now: Timestamp) -> bool {
        let mut book = self.book();
        let news = book.told_until < now;
        if news {
            book.told_until = now;
            book.news += 1;
            drop(book);
            self.wake();
        }
        news
    }
}
