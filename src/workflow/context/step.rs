//! A durable checkpoint.

use std::cell::RefCell;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::cx::Cx;
use super::drive::of_panic;
use super::rehearsal::Ask;
use crate::model::failure::{INTERRUPTED, PANIC};
use crate::model::ids::NameError;
use crate::model::state::OpState;
use crate::model::{Failure, OpKey, Payload, Report, Retry, Verdict};
use crate::telemetry::Remote;
use crate::workflow::{CxError, TaskFailure};

/// A step under construction, and the future of its outcome.
///
/// # Errors
/// Awaiting gives [`CxError::Failed`] or [`CxError::Panicked`] when the last try failed, [`CxError::Interrupted`] for
/// an at-most-once step whose process died, [`CxError::Cancelled`] when the run is being cancelled.
#[must_use = "a step runs when it is awaited"]
pub struct Step<F, Fut, T, E> {
    core: StepCore,
    body: F,
    judge: Option<Judge<E>>,
    running: Option<(Pin<Box<Fut>>, Instant)>,
    output: PhantomData<fn() -> T>,
}

type Judge<E> = Box<dyn Fn(&E) -> Verdict + Send>;

impl<F, Fut, T, E> Unpin for Step<F, Fut, T, E> {}

impl<F, Fut, T, E> Step<F, Fut, T, E> {
    #[track_caller]
    pub(super) fn new(cx: &Cx, name: &str, body: F) -> Step<F, Fut, T, E> {
        Step { core: StepCore::new(cx, name), body, judge: None, running: None, output: PhantomData }
    }

    /// Sets when a failed try is repeated. Default: never. Tries count anew in every attempt at the task.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.core.retry = retry;
        self
    }

    /// Sets which errors are worth another try, and after how long.
    pub fn retry_if<V: Into<Verdict>>(mut self, judge: impl Fn(&E) -> V + Send + 'static) -> Self {
        self.judge = Some(Box::new(move |error| judge(error).into()));
        self
    }

    /// Records a hash of what the step works on; on recovery another value is a divergence.
    pub fn input<V: Serialize + ?Sized>(mut self, value: &V) -> Self {
        self.core.set_input(value);
        self
    }

    /// Commits the step's beginning before its body runs, and never runs the body again, in no attempt: for effects that must not
    /// happen twice and cannot be made idempotent. Excludes retries.
    pub fn at_most_once(mut self) -> Self {
        self.core.at_most_once = true;
        self
    }
}

impl<F, Fut, T, E> Future for Step<F, Fut, T, E>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
    T: Serialize + DeserializeOwned,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Output = Result<T, CxError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.running.is_none()
            && let Some(outcome) = std::task::ready!(this.core.poll_outcome(context))
        {
            return Poll::Ready(outcome);
        }
        if this.running.is_none() {
            this.core.begin_execution();
        }
        let (body, core, running) = (&mut this.body, &this.core, &mut this.running);
        // The closure is the body's beginning: it may panic and ask for the step's key, too.
        let poll = || {
            let (future, _) = running.get_or_insert_with(|| {
                core.cx.host.runs(&core.op);
                (Box::pin(body()), Instant::now())
            });
            future.as_mut().poll(context)
        };
        let polled = in_step(&core.execution, || catch_unwind(AssertUnwindSafe(poll)));
        let took = this.running.as_ref().map_or(Duration::ZERO, |(_, began)| began.elapsed());
        let result = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => result.map_err(|error| {
                let verdict = this.judge.as_ref().map_or(Verdict::Retry, |judge| judge(&error));
                TaskFailure::of(error, verdict)
            }),
            Err(panic) => Err(TaskFailure {
                failure: of_panic(&*panic, &this.core.location()),
                verdict: Verdict::Retry,
            }),
        };
        this.running = None;
        match result.and_then(|output| Ok((Payload::of(&output)?, output))) {
            Ok((payload, output)) => {
                this.core.completed(payload, took);
                Poll::Ready(Ok(output))
            }
            Err(failed) => this.core.poll_failed(failed, took, context),
        }
    }
}

/// The step whose body is being polled, and which execution of a body in this attempt that is.
#[derive(Clone)]
pub(super) struct Polled {
    pub(super) op: OpKey,
    pub(super) execution: u32,
    /// Where the body stands in its trace, once it is to run.
    remote: Remote,
}

impl Polled {
    /// Returns the step as the log writes it: `name#occurrence`.
    pub(super) fn text(&self) -> String {
        format!("{}#{}", self.op.name, self.op.occurrence)
    }
}

thread_local! {
    /// The step whose body is being polled on this thread.
    static POLLED: RefCell<Option<Polled>> = const { RefCell::new(None) };
}

/// Polls a step's body, so that [`polled`] names the step meanwhile.
pub(super) fn in_step<T>(step: &Polled, poll: impl FnOnce() -> T) -> T {
    /// Put back even when the body panics.
    struct Outer(Option<Polled>);
    impl Drop for Outer {
        fn drop(&mut self) {
            POLLED.set(self.0.take());
        }
    }
    let _outer = Outer(POLLED.replace(Some(step.clone())));
    step.remote.during(poll)
}

/// Returns the step whose body asks.
pub(super) fn polled() -> Option<Polled> {
    POLLED.with_borrow(Clone::clone)
}

/// What a step knows without its body's types.
pub(super) struct StepCore {
    pub(super) cx: Cx,
    pub(super) op: OpKey,
    /// The body's last execution; 0 before the first.
    pub(super) execution: Polled,
    location: &'static Location<'static>,
    pub(super) retry: Retry,
    broken: Option<CxError>,
    input_hash: Option<String>,
    at_most_once: bool,
    began: bool,
    /// A try of ours was reported as failed and its record has not come back.
    awaiting_verdict: bool,
}

/// What a step is to do before its body.
enum Before {
    /// Nothing: it has an outcome.
    Recorded(Result<Payload, CxError>),
    /// Run the body.
    Run,
}

impl StepCore {
    #[track_caller]
    pub(super) fn new(cx: &Cx, name: &str) -> StepCore {
        let (op, broken) = cx.ledger.claim(name);
        StepCore {
            cx: cx.clone(),
            execution: Polled { op: op.clone(), execution: 0, remote: Remote::default() },
            op,
            location: Location::caller(),
            retry: Retry::none(),
            broken: broken.map(|source: NameError| CxError::Name { source }),
            input_hash: None,
            at_most_once: false,
            began: false,
            awaiting_verdict: false,
        }
    }

    /// Notes that the body begins.
    pub(super) fn begin_execution(&mut self) {
        self.execution.execution = self.cx.ledger.next_execution();
        self.execution.remote = self.cx.remote_of_step(&self.op);
    }

    pub(super) fn set_input<V: Serialize + ?Sized>(&mut self, value: &V) {
        match Payload::of(value) {
            Ok(input) => self.input_hash = Some(hash(&input)),
            Err(source) => {
                let what = format!("input of step {}", self.op);
                self.broken.get_or_insert(CxError::Payload { what, source });
            }
        }
    }

    /// Reports a failed try, and waits for what the log makes of it: another try, or the error for the code.
    pub(super) fn poll_failed<T: DeserializeOwned>(
        &mut self,
        failed: TaskFailure,
        took: Duration,
        context: &mut Context<'_>,
    ) -> Poll<Result<T, CxError>> {
        self.failed(failed, took);
        self.poll_outcome(context).map(|outcome| outcome.unwrap_or_else(|| Err(self.interrupted())))
    }

    /// Waits until the step has an outcome, or (`None`) its body may run.
    pub(super) fn poll_outcome<T: DeserializeOwned>(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<T, CxError>>> {
        self.poll_before(context).map(|before| match before {
            Before::Recorded(outcome) => Some(outcome.and_then(|output| self.read(&output))),
            Before::Run => None,
        })
    }

    /// Waits until the step has an outcome or its body may run.
    fn poll_before(&mut self, context: &mut Context<'_>) -> Poll<Before> {
        if let Some(error) = self.broken.clone() {
            return Poll::Ready(Before::Recorded(Err(error)));
        }
        let ledger = std::sync::Arc::clone(&self.cx.ledger);
        if let Err(over) = ledger.check_open(&self.op) {
            return Poll::Ready(Before::Recorded(Err(over)));
        }
        ledger.note(&self.ask());
        let recorded = match self.at_most_once {
            true => ledger.recorded_ever(&self.op),
            false => ledger.recorded(&self.op, |recorded| Some(recorded.clone())),
        };
        let may_run = match recorded {
            Some(OpState::StepCompleted { input_hash, output, .. }) => {
                if self.differs(&input_hash) {
                    return self.diverged("step with the input hash", &input_hash);
                }
                return Poll::Ready(Before::Recorded(Ok(output)));
            }
            Some(OpState::StepFailed { error, retry_at: None, .. }) => {
                return Poll::Ready(Before::Recorded(Err(self.error(error))));
            }
            Some(OpState::StepFailed { retry_at: Some(at), .. }) => {
                self.awaiting_verdict = false;
                ledger.is_due(at)
            }
            Some(OpState::StepStarted { .. }) if self.began => true,
            Some(OpState::StepStarted { .. }) => {
                self.report_interrupted();
                false
            }
            Some(other) => {
                ledger.diverge(&self.op, "step", other.kind());
                false
            }
            None if self.awaiting_verdict => false,
            None => std::task::ready!(self.poll_fresh(context)),
        };
        if let Some(cancelled) = ledger.cancelled().filter(|_| !self.awaiting_verdict) {
            let error = CxError::Cancelled { reason: cancelled.reason, by: cancelled.by };
            return Poll::Ready(Before::Recorded(Err(error)));
        }
        if !may_run {
            ledger.register(context.waker());
            return Poll::Pending;
        }
        std::task::ready!(ledger.poll_settled(context));
        Poll::Ready(Before::Run)
    }

    /// For a step the log does not know: waits for the known ones, then records the beginning if it must.
    fn poll_fresh(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        std::task::ready!(self.cx.ledger.poll_new(&self.ask(), context));
        if !self.at_most_once {
            return Poll::Ready(true);
        }
        if !self.began && self.cx.ledger.cancelled().is_none() {
            self.began = true;
            let (op, input_hash) = (self.op.clone(), self.input_hash.clone());
            self.cx.ledger.report(Report::StepStarted { op, input_hash });
        }
        Poll::Ready(false)
    }

    fn ask(&self) -> Ask<'_> {
        Ask { op: &self.op, kind: "step", input: self.input_hash.as_deref(), location: self.location }
    }

    fn diverged(&self, what: &str, recorded: &Option<String>) -> Poll<Before> {
        let hash = |hash: &Option<String>| format!("{what} {}", hash.as_deref().unwrap_or("(none)"));
        self.cx.ledger.diverge(&self.op, &hash(&self.input_hash), &hash(recorded));
        Poll::Pending
    }

    fn differs(&self, recorded: &Option<String>) -> bool {
        matches!((&self.input_hash, recorded), (Some(ours), Some(recorded)) if ours != recorded)
    }

    fn report_interrupted(&mut self) {
        if !self.awaiting_verdict {
            let failure = Failure::new(INTERRUPTED, "its process died before the outcome was recorded");
            self.failed(TaskFailure { failure, verdict: Verdict::Stop }, Duration::ZERO);
        }
    }

    /// Returns where the code builds the step. Written out only for a failure: steps are many, failures few.
    pub(super) fn location(&self) -> String {
        format!("{}:{}", self.location.file(), self.location.line())
    }

    pub(super) fn interrupted(&self) -> CxError {
        CxError::Interrupted { step: self.op.to_string() }
    }

    fn error(&self, failure: Failure) -> CxError {
        let step = self.op.to_string();
        match &*failure.kind {
            INTERRUPTED => CxError::Interrupted { step },
            PANIC => CxError::Panicked { step, failure },
            _ => CxError::Failed { step, failure },
        }
    }

    fn read<T: DeserializeOwned>(&self, output: &Payload) -> Result<T, CxError> {
        output
            .read()
            .map_err(|source| CxError::Payload { what: format!("output of step {}", self.op), source })
    }

    /// Reports the outcome. The caller goes on with it at once; nothing new begins before it is committed.
    pub(super) fn completed(&self, output: Payload, took: Duration) {
        self.cx.ledger.report(self.completion(output, took));
    }

    pub(super) fn completion(&self, output: Payload, took: Duration) -> Report {
        let (op, input_hash) = (self.op.clone(), self.input_hash.clone());
        Report::StepCompleted { op, input_hash, output, took }
    }

    /// Reports a failed try. Whether there is another one comes back as a record.
    pub(super) fn failed(&mut self, failed: TaskFailure, took: Duration) {
        self.awaiting_verdict = true;
        let retry = if self.at_most_once { Retry::none() } else { self.retry.clone() };
        let TaskFailure { failure, verdict } = failed;
        let error = failure.at(self.location());
        let (op, input_hash) = (self.op.clone(), self.input_hash.clone());
        self.cx.ledger.report(Report::StepFailed { op, input_hash, error, verdict, retry, took });
    }
}

/// Hashes a value's JSON: the first 16 hexadecimal digits of its SHA-256.
pub(super) fn hash(value: &Payload) -> String {
    Sha256::digest(value.text()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
