//! The fold of one run's log into spans.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::event::{Event, Place as TaskPlace, ReusedOp, RunFailed, RunTimedOut, Timeout};
use crate::model::failure::{START_TIMED_OUT, TIMED_OUT};
use crate::model::plan::{PlannedTask, Role};
use crate::model::{Recorded, RunEvent, RunId, Status, TaskEvent, TaskName, Timestamp, TraceContext};
use crate::telemetry::names::traces as names;

use super::failed::{exception, text};
use super::op::{OpEnd, Place, Topic, What};
use super::origin::{Moment, Origin};
use super::span::{Span, SpanEvent, SpanEvents};
use super::task::{AttemptEnd, TaskTrace};

/// Folds one run's log and gives each span once, with the event that ends it.
///
/// It keeps what has not ended, and forgets the rest: a run of 10,000 steps, one after the other, is one open attempt to it. It
/// takes a log as it is, and refuses nothing: an event that cannot be is passed over.
#[derive(Clone, Debug)]
pub struct Tracer {
    run: RunId,
    seq: u32,
    life: Option<Box<Life>>,
    ending: Option<Ending>,
}

/// How a run ended, and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The status.
    pub status: Status,
    /// When its code started; `None` when that never was.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub at: Timestamp,
}

/// A run that has not ended.
#[derive(Clone, Debug)]
struct Life {
    origin: Origin,
    last_at: Timestamp,
    started_at: Option<Timestamp>,
    /// Its tasks, in the plan's order: a signal is the first one's that waits.
    order: Vec<TaskName>,
    tasks: BTreeMap<TaskName, Box<TaskTrace>>,
    /// How many signals of a name and key nobody took yet.
    untaken: BTreeMap<Topic, u32>,
    cancelling: bool,
    events: SpanEvents,
    claims: u32,
    retries: u32,
    reused: Reused,
}

/// What a replay took over.
#[derive(Clone, Copy, Debug, Default)]
struct Reused {
    tasks: u32,
    ops: u32,
}

impl Tracer {
    /// Begins before a run's first event.
    pub fn new(run: RunId) -> Tracer {
        Tracer { run, seq: 0, life: None, ending: None }
    }

    /// Returns the run.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Returns how many events are folded in.
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// Returns the run's place in its trace; `None` before its creation is folded in, and after its end.
    pub fn place(&self) -> Option<&TraceContext> {
        self.life.as_ref().map(|life| &life.origin.place)
    }

    /// Returns how the run ended; `None` while it has not.
    pub fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Returns how many spans have begun and not ended, the run's own left out.
    pub fn open(&self) -> usize {
        self.life.iter().flat_map(|life| life.tasks.values()).map(|task| task.open()).sum()
    }

    /// Folds the next event in, and returns the spans that it ends. One that is folded in already gives none.
    pub fn record(&mut self, recorded: &Recorded) -> Vec<Span> {
        if recorded.seq <= self.seq {
            return Vec::new();
        }
        self.seq = recorded.seq;
        let Some(life) = &mut self.life else {
            return self.begin(recorded);
        };
        // The log's clock does not go back; a span never does.
        life.last_at = life.last_at.max(recorded.at);
        let moment = Moment { at: life.last_at, node: recorded.node };
        let spans = match &recorded.event {
            Event::Run(event) => life.record_run(event, moment),
            Event::Task(place, event) => life.record_task(place, event, moment),
        };
        if let Some(status) = end_of(&recorded.event) {
            self.ending = Some(Ending { status, started_at: life.started_at, at: moment.at });
            self.life = None;
        }
        spans
    }

    fn begin(&mut self, recorded: &Recorded) -> Vec<Span> {
        let (Event::Run(RunEvent::Created(created)), None) = (&recorded.event, &self.ending) else {
            return Vec::new();
        };
        let origin = Origin::new(self.run, recorded, created);
        let start = origin.started(recorded.node);
        self.life = Some(Box::new(Life {
            last_at: origin.at,
            origin,
            started_at: None,
            order: Vec::new(),
            tasks: BTreeMap::new(),
            untaken: BTreeMap::new(),
            cancelling: false,
            events: SpanEvents::default(),
            claims: 0,
            retries: 0,
            reused: Reused::default(),
        }));
        vec![start]
    }
}

fn end_of(event: &Event) -> Option<Status> {
    match event {
        Event::Run(RunEvent::Succeeded(_)) => Some(Status::Succeeded),
        Event::Run(RunEvent::Failed(_)) => Some(Status::Failed),
        Event::Run(RunEvent::Cancelled(_)) => Some(Status::Cancelled),
        Event::Run(RunEvent::TimedOut(_)) => Some(Status::TimedOut),
        Event::Run(_) | Event::Task(..) => None,
    }
}

impl Life {
    fn record_run(&mut self, event: &RunEvent, moment: Moment) -> Vec<Span> {
        let Moment { at, .. } = moment;
        match event {
            RunEvent::Created(_) => {}
            RunEvent::Claimed(_) => {
                self.claims = self.claims.saturating_add(1);
                self.tasks.values_mut().for_each(|task| task.claimed(moment));
            }
            RunEvent::Started(event) => {
                self.started_at = Some(at);
                self.order = event.plan.tasks.iter().map(|task| task.name.clone()).collect();
                // What a replay takes over of a task that is no more is forgotten.
                let goes_on = |task: &PlannedTask| task.role == Role::Task;
                let known: BTreeSet<_> =
                    event.plan.tasks.iter().filter(|task| goes_on(task)).map(|task| &task.name).collect();
                self.tasks.retain(|name, _| known.contains(name));
                self.events.push(SpanEvent::new(names::STARTED, at));
            }
            RunEvent::CancelRequested(event) => {
                self.cancelling = true;
                let asked = SpanEvent::new(names::CANCEL_REQUESTED, at);
                let asked = asked.with(names::CANCEL_BY, event.by.as_deref().map(text));
                self.events.push(asked.with(names::CANCEL_REASON, event.reason.as_deref().map(text)));
            }
            RunEvent::SignalReceived(event) => {
                return self.signal_received(&(event.name.clone(), event.key.clone()), moment);
            }
            RunEvent::Blocked(event) => {
                let blocked = SpanEvent::new(names::BLOCKED, at);
                self.events.push(blocked.with(names::BLOCKED_REPORT, Some(text(&event.report))));
            }
            RunEvent::Succeeded(_) => {
                return self.end(moment, Status::Succeeded, AttemptEnd::Abandoned, |_| {});
            }
            RunEvent::Failed(event) => {
                return self
                    .end(moment, Status::Failed, AttemptEnd::Abandoned, |span| failed(span, event, at));
            }
            RunEvent::Cancelled(event) => {
                return self.end(moment, Status::Cancelled, AttemptEnd::Cancelled, |span| {
                    span.set_some(names::CANCEL_BY, event.by.as_deref().map(text));
                    span.set_some(names::CANCEL_REASON, event.reason.as_deref().map(text));
                });
            }
            RunEvent::TimedOut(event) => {
                return self
                    .end(moment, Status::TimedOut, AttemptEnd::TimedOut, |span| timed_out(span, event));
            }
        }
        Vec::new()
    }

    /// Hands the signal to the oldest wait for its name, or keeps it for the next one.
    fn signal_received(&mut self, signal: &Topic, moment: Moment) -> Vec<Span> {
        for name in &self.order {
            let Some(task) = self.tasks.get_mut(name) else { continue };
            let Some(key) = task.waiting_for(signal) else { continue };
            let place = Place { task: name, key: &key };
            task.takes(&self.origin, place, signal.clone());
            return task.end_wait(&self.origin, place, moment, OpEnd::Succeeded).into_iter().collect();
        }
        self.kept(signal);
        Vec::new()
    }

    fn kept(&mut self, signal: &Topic) {
        let count = self.untaken.entry(signal.clone()).or_default();
        *count = count.saturating_add(1);
    }

    fn takes_kept(&mut self, signal: &Topic) -> bool {
        match self.untaken.get_mut(signal) {
            Some(count @ 2..) => *count -= 1,
            Some(_) => drop(self.untaken.remove(signal)),
            None => return false,
        }
        true
    }

    /// Ends what has not ended, and the run.
    fn end(
        &mut self,
        moment: Moment,
        status: Status,
        of_attempts: AttemptEnd<'_>,
        tell: impl FnOnce(&mut Span),
    ) -> Vec<Span> {
        let mut ended = Vec::new();
        for (name, task) in &mut self.tasks {
            ended.extend(task.end_with_run(&self.origin, name, moment, of_attempts));
        }
        let mut span = self.origin.whole(moment.at, moment.node);
        let events = std::mem::take(&mut self.events);
        (span.events, span.events_dropped) = (events.kept, events.dropped);
        span.set(names::RUN_STATUS, status.as_str());
        span.set(names::RUN_CLAIMS, self.claims);
        span.set(names::RUN_RETRIES, self.retries);
        if self.reused.tasks + self.reused.ops > 0 {
            span.set(names::REPLAY_TASKS, self.reused.tasks);
            span.set(names::REPLAY_OPS, self.reused.ops);
        }
        tell(&mut span);
        ended.push(span);
        ended
    }

    fn record_task(&mut self, at: &TaskPlace, event: &TaskEvent, moment: Moment) -> Vec<Span> {
        let (name, attempt) = (&at.task, at.attempt);
        if let TaskEvent::SignalAwaited(event) = event
            && let topic = (event.signal.clone(), event.key.clone())
            && self.takes_kept(&topic)
        {
            let what = What::Signal { topic: topic.clone(), deadline: event.deadline };
            let task = self.tasks.entry(name.clone()).or_default();
            let place = Place { task: name, key: &event.op };
            task.begin_wait(&event.op, attempt, moment.at, what);
            task.takes(&self.origin, place, topic);
            return task.end_wait(&self.origin, place, moment, OpEnd::Succeeded).into_iter().collect();
        }
        let origin = &self.origin;
        let task = self.tasks.entry(name.clone()).or_default();
        let place = |key| Place { task: name, key };
        let ended = match event {
            TaskEvent::AttemptStarted(_) => {
                self.retries = self.retries.saturating_add(u32::from(attempt > 1));
                task.begin_attempt(attempt, moment);
                None
            }
            TaskEvent::TimeoutExtended(event) => {
                let extended = SpanEvent::new(names::TIMEOUT_EXTENDED, moment.at);
                task.note(extended.with(names::DEADLINE, Some(event.deadline)));
                None
            }
            TaskEvent::AttemptSucceeded(_) => {
                return task.end_attempt(origin, name, moment, AttemptEnd::Succeeded);
            }
            TaskEvent::AttemptFailed(event) => {
                let end = AttemptEnd::Failed { event, cancelling: self.cancelling };
                return task.end_attempt(origin, name, moment, end);
            }
            TaskEvent::StepStarted(event) => {
                task.begin_step(&event.op, attempt, moment.at);
                None
            }
            TaskEvent::StepCompleted(event) => {
                task.step_completed(origin, place(&event.op), attempt, event.us, moment)
            }
            TaskEvent::StepFailed(event) => {
                task.step_failed(origin, place(&event.op), attempt, event, moment)
            }
            TaskEvent::TimerStarted(event) => {
                task.begin_wait(&event.op, attempt, moment.at, What::Sleep { until: event.fire_at });
                None
            }
            TaskEvent::SignalAwaited(event) => {
                let topic = (event.signal.clone(), event.key.clone());
                let what = What::Signal { topic, deadline: event.deadline };
                task.begin_wait(&event.op, attempt, moment.at, what);
                None
            }
            TaskEvent::ChildStarted(event) => {
                let what = What::Child { run: event.run, workflow: Some(event.workflow.clone()) };
                task.begin_wait(&event.op, attempt, moment.at, what);
                None
            }
            TaskEvent::TimerFired(event) => task.end_wait(origin, place(&event.op), moment, OpEnd::Succeeded),
            TaskEvent::SignalTimedOut(event) => {
                task.end_wait(origin, place(&event.op), moment, OpEnd::TimedOut)
            }
            TaskEvent::ChildFinished(event) => task.child_finished(origin, name, event, moment),
            TaskEvent::WaitAbandoned(event) => {
                let given_back = task.gives_back(origin, place(&event.op));
                let ended = task.end_wait(origin, place(&event.op), moment, OpEnd::Abandoned);
                if let Some(signal) = given_back {
                    self.kept(&signal);
                }
                ended
            }
            TaskEvent::TaskReused(_) => {
                self.reused.tasks = self.reused.tasks.saturating_add(1);
                None
            }
            TaskEvent::OpReused(event) => {
                self.reused.ops = self.reused.ops.saturating_add(1);
                match &event.recorded {
                    ReusedOp::Signal { signal, key, .. } => {
                        task.takes(origin, place(&event.op), (signal.clone(), key.clone()));
                    }
                    ReusedOp::ReplayedChild { run, .. } => {
                        let what = What::Child { run: *run, workflow: None };
                        task.begin_wait(&event.op, attempt, moment.at, what);
                    }
                    ReusedOp::FailedStep { .. } if !event.optional => task.fails(origin, place(&event.op)),
                    _ => {}
                }
                None
            }
            TaskEvent::TaskResumed(_)
            | TaskEvent::RaceWon(_)
            | TaskEvent::TimeRead(_)
            | TaskEvent::PatchMarked(_)
            | TaskEvent::ConditionsOpened(_)
            | TaskEvent::ConditionDecided(_)
            | TaskEvent::TaskSkipped(_) => None,
        };
        ended.into_iter().collect()
    }
}

fn failed(span: &mut Span, event: &RunFailed, at: Timestamp) {
    span.fail_by(&event.error);
    span.set_some(names::FAILED_TASK, event.task.as_ref().map(TaskName::shared));
    span.events.push(exception(&event.error, at));
}

fn timed_out(span: &mut Span, event: &RunTimedOut) {
    match event.timeout {
        Timeout::Start => span.fail(START_TIMED_OUT, "the run was not started within its start_timeout"),
        Timeout::Run => span.fail(TIMED_OUT, "the run took longer than its timeout"),
    }
}
