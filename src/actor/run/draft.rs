//! An append in the making: pending commands decided one after the other, and what they make of the commit.

use super::CheckpointWish;
use super::live::Live;
use crate::actor::birth::{Born, Start, Started, bug};
use crate::actor::live::Expected;
use crate::model::command::Now;
use crate::model::command::Rejection;
use crate::model::decide::decide;
use crate::model::event::{Parent, RunClaimed, Trigger};
use crate::model::evolve::fold_in;
use crate::model::mail::mail;
use crate::model::{
    Command, Event, FailureSummary, Mail, Message, MessageId, Recorded, RunEvent, RunId, RunState, Status,
    TaskEvent, WorkflowName,
};
use crate::store::{Append, Commit, Release, RowChange, StoreError};
use crate::workflow::context::Birth;

/// Something that waits for the append under way.
pub(crate) enum Pending {
    /// A command for the run.
    Command {
        /// The command.
        command: Command,
        /// The task whose attempt waits for the answer.
        task: Option<usize>,
        /// Child runs that its reports start.
        births: Vec<Birth>,
        /// Messages that are delivered with it.
        taken: Vec<MessageId>,
    },
    /// A transaction that wants to commit.
    Checkpoint(Box<CheckpointWish>),
}

impl Pending {
    pub(super) fn command(command: Command) -> Pending {
        Pending::Command { command, task: None, births: Vec::new(), taken: Vec::new() }
    }

    pub(super) fn reports(command: Command, task: usize, births: Vec<Birth>) -> Pending {
        Pending::Command { command, task: Some(task), births, taken: Vec::new() }
    }

    pub(super) fn messages(messages: Vec<Message>) -> Pending {
        let taken = messages.iter().map(|message| message.id).collect();
        let command = Command::Deliver { messages, live: false };
        Pending::Command { command, task: None, births: Vec::new(), taken }
    }
}

/// A child run that is created with the draft.
pub(crate) struct Offspring {
    pub(super) run: RunId,
    pub(super) workflow: WorkflowName,
    pub(super) events: Vec<Event>,
    pub(super) started: Option<(Started, Expected)>,
}

/// What the pending commands came to.
pub(crate) struct Draft {
    pub(super) events: Vec<Event>,
    pub(super) mail: Vec<Mail>,
    pub(super) taken: Vec<MessageId>,
    /// Tasks whose attempts wait for the answer, once for each batch of reports.
    pub(super) answers: Vec<usize>,
    pub(super) births: Vec<Birth>,
    /// Child runs, once the commit was made of the births.
    pub(super) children: Vec<Offspring>,
    pub(super) release: Option<Release>,
    /// A report that the log excludes: a bug of ours, and nothing of the draft is written.
    pub(super) contradiction: Option<String>,
    /// The state after the events, as far as they were folded already.
    ahead: Option<Box<RunState>>,
    folded: usize,
    claimed: bool,
}

impl Draft {
    pub(super) fn new(claimed: bool) -> Draft {
        Draft {
            events: Vec::new(),
            mail: Vec::new(),
            taken: Vec::new(),
            answers: Vec::new(),
            births: Vec::new(),
            children: Vec::new(),
            release: None,
            contradiction: None,
            ahead: None,
            folded: 0,
            claimed,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.taken.is_empty() && self.release.is_none()
    }

    /// Decides one command on the state after the ones before it; `live` says whether code of the run is in memory.
    pub(super) fn add(&mut self, state: &RunState, pending: Pending, live: bool, now: Now<'_>) {
        let Pending::Command { command, task, births, taken } = pending else { return };
        let command = match command {
            Command::Deliver { messages, .. } => Command::Deliver { messages, live },
            command => command,
        };
        self.taken.extend(taken);
        self.answers.extend(task);
        if let Err(illegal) = self.fold(state, now) {
            self.contradiction = Some(illegal.to_string());
            return;
        }
        let on = self.ahead.as_deref().unwrap_or(state);
        match decide(on, command, now) {
            Ok(events) => {
                self.mail.extend(mail(on, &events));
                if self.claimed && self.events.is_empty() && !events.is_empty() {
                    self.events.push(RunEvent::from(RunClaimed {}).into());
                }
                self.events.extend(events);
                self.births.extend(births);
            }
            Err(rejection @ Rejection::Contradicts { .. }) => {
                self.contradiction = Some(rejection.to_string())
            }
            Err(rejection) => tracing::debug!(run = %state.id, %rejection, "a command changes nothing"),
        }
    }

    /// Folds the events so far, as if they were committed at `now`: only when something is decided on them.
    fn fold(&mut self, state: &RunState, now: Now<'_>) -> Result<(), crate::model::IllegalEvent> {
        if self.folded == self.events.len() {
            return Ok(());
        }
        let mut ahead = self.ahead.take().unwrap_or_else(|| Box::new(state.clone()));
        for event in self.events.iter().skip(self.folded) {
            let recorded = Recorded { seq: ahead.seq + 1, at: now.at, node: None, event: event.clone() };
            fold_in(&mut ahead, &recorded)?;
        }
        self.folded = self.events.len();
        self.ahead = Some(ahead);
        Ok(())
    }

    /// Returns the state after the events, as if they were committed at `now`.
    pub(super) fn state_after<'draft>(
        &'draft mut self,
        state: &'draft RunState,
        now: Now<'_>,
    ) -> Option<&'draft RunState> {
        self.fold(state, now).ok()?;
        Some(self.ahead.as_deref().unwrap_or(state))
    }

    /// Returns the status that the events lead to, if they change it.
    fn new_status(&self) -> Option<Status> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Run(RunEvent::Started(_)) => Some(Status::Running),
            Event::Run(RunEvent::Succeeded(_)) => Some(Status::Succeeded),
            Event::Run(RunEvent::Failed(_)) => Some(Status::Failed),
            Event::Run(RunEvent::Cancelled(_)) => Some(Status::Cancelled),
            Event::Run(RunEvent::TimedOut(_)) => Some(Status::TimedOut),
            _ => None,
        })
    }
}

impl Live {
    /// Makes the commit of a draft: the run's own append, then its children's.
    pub(super) fn commit_of(&self, draft: &mut Draft) -> Result<Commit, StoreError> {
        let children = self.children_of(draft)?;
        let awaits = self.awaits_of(draft);
        let state = self.state.as_ref().ok_or_else(|| bug("a draft without a state"))?;
        let status = draft.new_status();
        let deadline_at = match status {
            Some(Status::Running) => {
                let timeout = state.origin.timeout_ms.map(std::time::Duration::from_millis);
                timeout.map(|timeout| crate::model::decide::after(self.engine.clock.now(), timeout))
            }
            Some(_) => None,
            None => state.deadline,
        };
        let goes_further = self.deaths > 0 && !draft.events.is_empty();
        let changes = status.is_some() || draft.release.is_some() || goes_further;
        let row = changes.then(|| RowChange {
            status: status.unwrap_or(state.status),
            deadline_at,
            release: draft.release,
            failure: FailureSummary::of(state, &draft.events).map(Box::new),
        });
        let own = Append {
            run: self.run,
            expected: state.seq,
            events: draft.events.iter().map(Event::encode).collect::<Result<_, _>>().map_err(bug)?,
            born: None,
            row,
            mail: draft.mail.clone(),
            taken: draft.taken.clone(),
            awaits,
        };
        let mut appends = vec![own];
        for Born { run, workflow, events, append, started } in children {
            appends.push(append);
            let started = started.map(|started| (started, self.engine.live.expect(run)));
            draft.children.push(Offspring { run, workflow, events, started });
        }
        Ok(Commit { appends })
    }

    /// Makes the child runs that the draft's events start; births whose report was rejected are left out.
    fn children_of(&self, draft: &mut Draft) -> Result<Vec<Born>, StoreError> {
        let Some(state) = &self.state else { return Ok(Vec::new()) };
        let births = std::mem::take(&mut draft.births);
        let started = |birth: &Birth| {
            draft.events.iter().find_map(|event| match event {
                Event::Task(place, TaskEvent::ChildStarted(child)) if child.run == birth.run => Some(place),
                _ => None,
            })
        };
        births
            .into_iter()
            .filter_map(|birth| {
                let task = started(&birth)?.task.clone();
                let depth = state.origin.parent.as_ref().map_or(0, |parent| parent.depth) + 1;
                let trace = self.engine.settings.place(self.run, state.origin.trace.as_deref());
                let start = Start {
                    workflow: birth.definition.name.clone(),
                    version: birth.definition.version.clone(),
                    namespace: state.origin.namespace.clone(),
                    key: None,
                    input: birth.input,
                    metadata: birth.metadata,
                    priority: state.origin.priority,
                    start_at: None,
                    timeout: birth.definition.timeout,
                    start_timeout: birth.definition.start_timeout,
                    trigger: Trigger::Parent,
                    parent: Some(Parent { run: self.run, task, op: birth.op, depth }),
                    trace: Some(trace),
                    limit: birth.limit,
                    taken_over: Vec::new(),
                };
                Some(Born::here(&self.engine, birth.run, &start))
            })
            .collect()
    }
}
