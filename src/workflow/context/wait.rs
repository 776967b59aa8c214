//! Durable waits: sleeps and signals.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::cx::Cx;
use super::rehearsal::Ask;
use crate::model::command::WaitUntil;
use crate::model::ids::NameError;
use crate::model::limits::WAIT_MAX;
use crate::model::state::OpState;
use crate::model::{Key, OpKey, Payload, Report, SignalName};
use crate::workflow::CxError;

/// A durable sleep.
///
/// # Errors
/// Awaiting gives [`CxError::Cancelled`] when the run is being cancelled, [`CxError::Limit`] beyond 100 years.
#[must_use = "a sleep begins when it is awaited"]
pub struct Sleep {
    wait: Wait,
    until: WaitUntil,
}

impl Sleep {
    #[track_caller]
    pub(super) fn new(cx: &Cx, until: WaitUntil) -> Sleep {
        let mut wait = Wait::new(cx, "sleep");
        if let WaitUntil::After(duration) = until {
            wait.check(duration);
        }
        Sleep { wait, until }
    }
}

impl Future for Sleep {
    type Output = Result<(), CxError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let until = self.until;
        let read = |recorded: &OpState| match recorded {
            OpState::Timer { fired: true, .. } => Found::Outcome(()),
            OpState::Timer { fired: false, .. } => Found::Open,
            other => Found::Other(other.kind()),
        };
        self.wait.poll(context, "sleep", read, |op| Report::Sleep { op, until })
    }
}

/// A durable wait for a signal.
///
/// # Errors
/// Awaiting gives [`CxError::Cancelled`] when the run is being cancelled, [`CxError::Payload`] when what came is no `T`.
#[must_use = "a signal is waited for when this is awaited"]
pub struct Signal<T> {
    wait: Wait,
    name: Option<SignalName>,
    key: Option<Key>,
    timeout: Option<Duration>,
    payload: PhantomData<fn() -> T>,
}

impl<T> Signal<T> {
    #[track_caller]
    pub(super) fn new(cx: &Cx, name: &str) -> Signal<T> {
        let wait = Wait::new(cx, name);
        let name = SignalName::new(name).ok();
        Signal { wait, name, key: None, timeout: None, payload: PhantomData }
    }

    /// Waits for a signal of this name that is sent to a key instead of to this run, by
    /// [`Runtime::signal_key`](crate::Runtime::signal_key): every run of the namespace that waits for it gets it, each wait one.
    /// What was sent while nobody waited is kept, and the first wait takes the oldest. Default: none.
    pub fn key(mut self, key: impl AsRef<str>) -> Self {
        match Key::new(key) {
            Ok(key) => self.key = Some(key),
            Err(source) => drop(self.wait.broken.get_or_insert(CxError::Name { source })),
        }
        self
    }

    /// Sets how long to wait; after that the outcome is `None`. Default: for ever.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.wait.check(timeout);
        self.timeout = Some(timeout);
        self
    }
}

impl<T: DeserializeOwned> Future for Signal<T> {
    type Output = Result<Option<T>, CxError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (name, key, timeout) = (self.name.clone(), self.key.clone(), self.timeout);
        let read = |recorded: &OpState| match recorded {
            OpState::Signal { outcome: Some(outcome), .. } => Found::Outcome(outcome.clone()),
            OpState::Signal { outcome: None, .. } => Found::Open,
            other => Found::Other(other.kind()),
        };
        let request = |op: OpKey| {
            let signal = name.unwrap_or_else(|| SignalName::recorded(&op.name));
            Report::AwaitSignal { op, signal, key, timeout }
        };
        let polled = self.wait.poll(context, "signal", read, request);
        let typed = |payload: Payload| {
            payload
                .read()
                .map_err(|source| CxError::Payload { what: format!("signal {}", self.wait.op), source })
        };
        polled.map(|outcome| outcome?.map(typed).transpose())
    }
}

/// What a sleep and a wait for a signal have in common.
struct Wait {
    cx: Cx,
    op: OpKey,
    location: &'static Location<'static>,
    broken: Option<CxError>,
    requested: bool,
    over: bool,
}

/// What is recorded in a wait's place.
enum Found<T> {
    Outcome(T),
    Open,
    Other(&'static str),
}

impl Wait {
    #[track_caller]
    fn new(cx: &Cx, name: &str) -> Wait {
        let (op, broken) = cx.claim(name);
        let broken = broken.map(|source: NameError| CxError::Name { source });
        let location = Location::caller();
        Wait { cx: cx.clone(), op, location, broken, requested: false, over: false }
    }

    fn check(&mut self, duration: Duration) {
        if duration > WAIT_MAX {
            let what = format!("{} waits {} s", self.op, duration.as_secs());
            self.broken.get_or_insert(CxError::Limit { what, limit: WAIT_MAX.as_secs() });
        }
    }

    fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        kind: &'static str,
        read: impl FnOnce(&OpState) -> Found<T>,
        request: impl FnOnce(OpKey) -> Report,
    ) -> Poll<Result<T, CxError>> {
        if let Some(error) = self.broken.clone() {
            return Poll::Ready(Err(error));
        }
        let ledger = &self.cx.ledger;
        if let Err(over) = ledger.check_open(&self.op) {
            self.over = true;
            return Poll::Ready(Err(over));
        }
        let ask = Ask { op: &self.op, kind, input: None, location: self.location };
        ledger.note(&ask);
        match ledger.recorded(&self.op, |recorded| Some(read(recorded))) {
            Some(Found::Outcome(outcome)) => {
                self.over = true;
                return Poll::Ready(Ok(outcome));
            }
            Some(Found::Open) => self.requested = true,
            // Dropped by the code before, at this same point: it stays open for ever, as it did then.
            Some(Found::Other("abandoned wait")) => self.over = true,
            Some(Found::Other(other)) => {
                self.over = true;
                ledger.diverge(&self.op, kind, other);
            }
            None => {}
        }
        if let Some(cancelled) = ledger.cancelled() {
            self.over = true;
            return Poll::Ready(Err(CxError::Cancelled { reason: cancelled.reason, by: cancelled.by }));
        }
        if !self.requested && !self.over {
            std::task::ready!(ledger.poll_new(&ask, context));
            self.requested = true;
            ledger.report(request(self.op.clone()));
        }
        ledger.register(context.waker());
        Poll::Pending
    }
}

/// The code dropped a wait that is not over: nobody needs to wake the run for it any more, and a signal that it got
/// is another's. The loser of a race may be recorded without having been polled since the run was taken up.
impl Drop for Wait {
    fn drop(&mut self) {
        let is_live = |recorded: &OpState| match recorded {
            OpState::Timer { fired: false, .. } | OpState::Signal { outcome: None | Some(Some(_)), .. } => {
                Some(())
            }
            _ => None,
        };
        let is_live = || self.requested || self.cx.ledger.recorded(&self.op, is_live).is_some();
        if !self.over && is_live() {
            self.cx.ledger.report(Report::Abandon { op: self.op.clone() });
        }
    }
}
