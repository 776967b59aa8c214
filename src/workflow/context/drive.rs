//! Polls an attempt's code, and carries its reports out after each poll.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::BoxFuture;
use futures_util::task::AtomicWaker;

use super::child::Birth;
use super::ledger::Ledger;
use crate::model::{Failure, Payload, Report, Verdict};
use crate::telemetry::{self, Paper, Remote};
use crate::workflow::TaskFailure;

/// What an attempt tells whoever runs it.
pub(crate) enum Told {
    /// It got further, or came to rest.
    Progress {
        /// What should be recorded, in order; to be answered by one [`Ledger::committed`] unless empty.
        reports: Vec<Report>,
        /// What is needed to create the child runs among them.
        births: Vec<Birth>,
        /// Whether it only waits for durable operations: its code may be dropped and run again later.
        idle: bool,
        /// The ledger's count of news that the code had seen; with more of them it may be idle no longer.
        seen: u64,
    },
    /// The code does not fit the log.
    Diverged {
        /// What does not fit.
        report: String,
    },
}

/// The future of an attempt: polls the code and tells after each poll what came of it.
///
/// Idleness is known without asking the code: a durable operation that is polled with the driver's own waker keeps
/// no clone of it, anything else that can wake the code (a socket, a timer, a channel) must. With no clone about, only
/// durable operations are awaited.
pub(crate) struct Drive<T> {
    code: BoxFuture<'static, Result<Payload, TaskFailure>>,
    ledger: Arc<Ledger>,
    location: String,
    wake: Arc<DriverWake>,
    waker: Waker,
    tell: T,
    /// Where the code's own `tracing` events go.
    paper: Arc<dyn Paper>,
    /// Where the spans that it opens stand.
    remote: Remote,
    told_idle: bool,
    /// The news that the code had seen when it was last polled.
    seen: u64,
}

/// Clones of the waker's `Arc` that exist when nobody but us holds one: `wake`, `waker` and the ledger's.
const OWN_CLONES: usize = 3;

struct DriverWake {
    outer: AtomicWaker,
}

impl Wake for DriverWake {
    fn wake(self: Arc<Self>) {
        self.outer.wake();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.outer.wake();
    }
}

impl<T: Fn(Told) + Unpin> Drive<T> {
    pub(crate) fn new(
        code: BoxFuture<'static, Result<Payload, TaskFailure>>,
        ledger: Arc<Ledger>,
        location: String,
        scene: (Arc<dyn Paper>, Remote),
        tell: T,
    ) -> Drive<T> {
        let wake = Arc::new(DriverWake { outer: AtomicWaker::new() });
        let waker = Waker::from(Arc::clone(&wake));
        ledger.set_driver(waker.clone());
        let (paper, remote) = scene;
        Drive { code, ledger, location, wake, waker, tell, paper, remote, told_idle: false, seen: 0 }
    }

    /// Says whether the code only waited for durable operations when it was last polled.
    pub(crate) fn is_idle(&self) -> bool {
        self.told_idle
    }

    fn end(&mut self, result: std::thread::Result<Result<Payload, TaskFailure>>) {
        let report = match result {
            Ok(Ok(output)) => Report::Succeeded { output },
            Ok(Err(TaskFailure { failure, verdict })) => {
                Report::Failed { error: failure.at(&self.location), verdict }
            }
            Err(panic) => {
                Report::Failed { error: of_panic(&*panic, &self.location), verdict: Verdict::Retry }
            }
        };
        let misfit = match &report {
            Report::Succeeded { .. } => self.ledger.left_out(),
            _ => self.ledger.diverged(),
        };
        if let Some(report) = misfit {
            (self.tell)(Told::Diverged { report });
            return;
        }
        let mut outbox = self.ledger.take();
        outbox.reports.push(report);
        self.ledger.close();
        (self.tell)(Told::Progress { reports: outbox.reports, births: outbox.births, idle: false, seen: 0 });
    }
}

/// Describes a panic; where a panic hook of ours noted its place, that is its place.
pub(super) fn of_panic(panic: &(dyn Any + Send), location: &str) -> Failure {
    Failure::of_panic(panic).at(location)
}

impl<T: Fn(Told) + Unpin> Future for Drive<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.wake.outer.register(context.waker());
        let this = &mut *self;
        let mut inner = Context::from_waker(&this.waker);
        this.ledger.set_driving(true);
        let seen = this.ledger.news();
        let polled = telemetry::on(&this.paper, &this.remote, || {
            catch_unwind(AssertUnwindSafe(|| this.code.as_mut().poll(&mut inner)))
        });
        this.ledger.set_driving(false);
        let ended = match polled {
            Ok(Poll::Pending) => None,
            Ok(Poll::Ready(result)) => Some(Ok(result)),
            Err(panic) => Some(Err(panic)),
        };
        if let Some(result) = ended {
            this.end(result);
            return Poll::Ready(());
        }
        // A step in front of a commit does not rest: it goes on with the answer.
        let rests = Arc::strong_count(&this.wake) == OWN_CLONES && !this.ledger.has_outside_wakers();
        let idle = rests && !this.ledger.is_settling(rests);
        if let Some(report) = this.ledger.stuck(idle) {
            (this.tell)(Told::Diverged { report });
            return Poll::Ready(());
        }
        let outbox = this.ledger.take();
        // Whatever was brought in may have set the code going: the actor waits to hear that it rests again.
        this.told_idle &= seen == this.seen;
        this.seen = seen;
        if !outbox.reports.is_empty() || idle != this.told_idle {
            this.told_idle = idle;
            (this.tell)(Told::Progress { reports: outbox.reports, births: outbox.births, idle, seen });
        }
        Poll::Pending
    }
}
