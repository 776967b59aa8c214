//! A live run: what its actor holds, and how messages move it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ractor::ActorRef;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::attempt::LiveAttempt;
use super::draft::{Draft, Pending};
use super::judge::Judging;
use super::{Begin, Beginning, CheckpointWish, Creation, RunMsg};
use crate::actor::admission::Slot;
use crate::actor::birth::{Born, recorded};
use crate::actor::journal::{Outcome, Submission};
use crate::actor::node::Node;
use crate::actor::supervisor::Engine;
use crate::model::evolve::fold_in;
use crate::model::limits::POISON_DEATHS;
use crate::model::{Command, Event, Message, MessageId, RunId, RunState, Status, Timestamp};
use crate::store::{Commit, Inbox, StoreError};
use crate::workflow::Definition;
use crate::workflow::context::Told;

/// The state of a run's actor.
///
/// `state` is the fold of what is committed, never of more. At most one append is under way; what arrives meanwhile
/// is pending and leaves in the next one.
pub(crate) struct Live {
    pub(super) run: RunId,
    pub(super) engine: Arc<Engine>,
    pub(super) node: Arc<Node>,
    pub(super) myself: ActorRef<RunMsg>,
    /// `None` until a new run's first commit.
    pub(super) state: Option<Box<RunState>>,
    pub(super) definition: Option<Arc<Definition>>,
    pub(super) attempts: BTreeMap<usize, LiveAttempt>,
    /// Tasks whose conditions ask the code, which judges.
    pub(super) judging: BTreeMap<usize, Judging>,
    pub(super) pending: VecDeque<Pending>,
    pub(super) under_way: Option<UnderWay>,
    /// How many messages the actor knows of; a release is refused when there are more.
    pub(super) mail_seen: i32,
    /// A release was refused for a message: nothing is released before an inbox was read.
    pub(super) has_mail: bool,
    /// How often the run had been claimed when this node took it.
    pub(super) claims: i32,
    /// How often in a row its node died without its getting any further; 0 once it did.
    pub(super) deaths: i16,
    /// The last message that the actor was handed.
    last_message: Option<MessageId>,
    /// The next event must be preceded by RunClaimed.
    pub(super) claimed: bool,
    /// Whether its code ever waited for a signal by key.
    pub(super) by_key: bool,
    /// Questions for kept signals that have no answer yet: until then it is not released.
    pub(super) asking: u32,
    pub(super) draining: bool,
    /// The code at hand was found not to fit; it is tried again when the run is next claimed.
    pub(super) blocked: bool,
    pub(super) timer: Option<(Timestamp, JoinHandle<()>)>,
    pub(super) rest: Option<JoinHandle<()>>,
    pub(super) has_rested: bool,
    pub(super) told_until: Timestamp,
    pub(super) snapshot_seq: u32,
    assigned_at: Option<Timestamp>,
    begin: Option<Begin>,
    slot: Slot,
}

/// The append under way.
pub(super) enum UnderWay {
    /// Through the journal.
    Append(Draft),
    /// Inside a transaction of the code, which is told how it went.
    Checkpoint(Draft, oneshot::Sender<Result<(), crate::workflow::CxError>>),
    /// A new run's first events.
    Creation(Vec<Event>, oneshot::Sender<Result<Creation, StoreError>>),
}

impl Live {
    pub(super) fn new(
        engine: Arc<Engine>,
        node: Arc<Node>,
        myself: ActorRef<RunMsg>,
        beginning: Beginning,
    ) -> Live {
        let Beginning { run, begin, slot, definition } = beginning;
        Live {
            run,
            engine,
            node,
            myself,
            state: None,
            definition,
            attempts: BTreeMap::new(),
            judging: BTreeMap::new(),
            pending: VecDeque::new(),
            under_way: None,
            mail_seen: 0,
            has_mail: false,
            claims: 0,
            deaths: 0,
            last_message: None,
            claimed: false,
            by_key: false,
            asking: 0,
            draining: false,
            blocked: false,
            timer: None,
            rest: None,
            has_rested: false,
            told_until: Timestamp::UNIX_EPOCH,
            snapshot_seq: 0,
            assigned_at: None,
            begin: Some(begin),
            slot,
        }
    }

    /// Takes up the run: creates it, or goes on from its fold.
    pub(super) fn begin(&mut self) {
        match self.begin.take() {
            Some(Begin::Create { born, reply }) => self.create(*born, reply),
            Some(Begin::Adopt { state, expected }) => {
                drop(expected);
                self.state = Some(state);
                self.perform();
            }
            Some(Begin::Recover {
                state,
                inbox,
                mail_seen,
                claims,
                deaths,
                assigned_at,
                may_start,
                expected,
            }) => {
                drop(expected);
                self.mail_seen = mail_seen;
                self.claims = claims;
                self.deaths = deaths;
                self.assigned_at = assigned_at;
                self.recover(state, inbox, may_start);
            }
            None => {}
        }
        self.work();
    }

    fn create(&mut self, born: Born, reply: oneshot::Sender<Result<Creation, StoreError>>) {
        let commit = Commit { appends: vec![born.append] };
        self.under_way = Some(UnderWay::Creation(born.events, reply));
        self.submit(commit);
    }

    fn recover(&mut self, state: Box<RunState>, inbox: Vec<Message>, may_start: bool) {
        self.claimed = state.status == Status::Running;
        self.told_until = self.engine.clock.now();
        self.snapshot_seq = state.seq;
        self.definition = self.find_code(&state);
        self.last_message = inbox.last().map(|message| message.id);
        if !inbox.is_empty() {
            self.pending.push_back(Pending::messages(inbox));
        }
        if self.is_poison() {
            self.pending.push_back(Pending::command(Command::Isolate { deaths: self.deaths }));
        }
        self.pending.push_back(Pending::command(Command::Tick));
        // What was due for the database when it was claimed is due here, too.
        self.engine.clock.witness(self.assigned_at.unwrap_or_default());
        // A message may have woken it before its time, or while its workflow is paused.
        let due = may_start && state.queued_until() <= self.engine.clock.now();
        if let (Status::Queued, true, Some(code)) = (state.status, due, &self.definition) {
            let (plan, assigned_at) = (code.plan.clone(), self.assigned_at);
            self.pending.push_back(Pending::command(Command::Start { plan, assigned_at }));
        }
        let resumes = self.pending.len() == 1;
        self.state = Some(state);
        self.ask_anew();
        if resumes {
            self.perform();
        }
    }

    /// Finds the code of the run's version, unless its shape is not the one that the run started with.
    fn find_code(&mut self, state: &RunState) -> Option<Arc<Definition>> {
        if !self.slot.may_run() || self.is_poison() {
            return None;
        }
        let code = self.engine.registry.get(&state.origin.workflow, &state.origin.version)?;
        if state.plan.as_ref().is_none_or(|plan| *plan == code.plan) {
            return Some(Arc::clone(code));
        }
        let report = format!(
            "the tasks of workflow {} version {} are not those that the run started with: serve the old code, too",
            code.name, code.version
        );
        self.block(report);
        None
    }

    /// Says whether the run killed too many nodes to be tried again.
    pub(super) fn is_poison(&self) -> bool {
        self.deaths >= POISON_DEATHS
    }

    /// An attempt got further: note whether it rests, and queue what it reports.
    pub(super) fn told(&mut self, task: usize, attempt: u32, told: Told) {
        let Some(live) = self.attempts.get_mut(&task).filter(|live| live.attempt == attempt) else { return };
        match told {
            Told::Progress { reports, births, idle, seen } => {
                // What was brought in meanwhile may have set the code going.
                live.idle = idle && seen == live.ledger.news();
                if !reports.is_empty() {
                    let command = Command::Advance { task: live.name.clone(), attempt, reports };
                    self.pending.push_back(Pending::reports(command, task, births));
                }
            }
            Told::Diverged { report } => self.misfit(task, report),
        }
        self.watch_rest();
    }

    pub(super) fn tick(&mut self) {
        self.timer = None;
        // A run that is being released may be another node's already: its steps are not tried again here. If it stays, the
        // timer is set anew.
        if !self.is_being_released() {
            self.tell_time();
        }
        self.pending.push_back(Pending::command(Command::Tick));
    }

    fn is_being_released(&self) -> bool {
        matches!(&self.under_way, Some(UnderWay::Append(draft)) if draft.release.is_some())
    }

    /// Takes what the postman found.
    pub(super) fn inbox(&mut self, inbox: Option<Inbox>) {
        self.has_mail = false;
        // Read before what the actor knows was: its messages may be in the log already.
        let Some(inbox) = inbox.filter(|inbox| inbox.mail_seen > self.mail_seen) else { return };
        self.mail_seen = inbox.mail_seen;
        // A run's messages get their ids under its row's lock: the known ones are those up to the last.
        let last = self.last_message;
        let fresh: Vec<Message> =
            inbox.messages.into_iter().filter(|message| last.is_none_or(|last| message.id > last)).collect();
        self.last_message = fresh.last().map(|message| message.id).or(last);
        if !fresh.is_empty() {
            self.pending.push_back(Pending::messages(fresh));
        }
    }

    pub(super) fn checkpoint(&mut self, wish: CheckpointWish) {
        self.pending.push_back(Pending::Checkpoint(Box::new(wish)));
    }

    /// Decides what is pending and submits it, unless an append is under way.
    pub(super) fn work(&mut self) {
        while self.under_way.is_none() && self.state.is_some() {
            match self.pending.front() {
                Some(Pending::Checkpoint(_)) => self.begin_checkpoint(),
                Some(Pending::Command { .. }) => self.begin_append(),
                None => {
                    self.park_if_at_rest();
                    return;
                }
            }
        }
    }

    fn begin_append(&mut self) {
        let Some(state) = &self.state else { return };
        let mut draft = Draft::new(self.claimed);
        while let Some(Pending::Command { .. }) = self.pending.front() {
            let Some(pending) = self.pending.pop_front() else { break };
            draft.add(state, pending, self.definition.is_some() && !self.blocked, self.now());
        }
        if let Some(contradiction) = draft.contradiction.take() {
            return self.fail(&StoreError::Bug { message: contradiction });
        }
        self.add_release(&mut draft);
        if draft.is_empty() {
            return self.settle(draft);
        }
        self.append(draft);
    }

    /// Hands a draft to the journal; until its answer nothing else is appended.
    pub(super) fn append(&mut self, mut draft: Draft) {
        match self.commit_of(&mut draft) {
            Ok(commit) => {
                self.under_way = Some(UnderWay::Append(draft));
                self.submit(commit);
            }
            Err(error) => self.fail(&error),
        }
    }

    fn submit(&mut self, commit: Commit) {
        let submission = Submission { commit, reply: self.myself.clone() };
        // A node that was fenced meanwhile has stopped its actors, and may never answer one that came after.
        if self.node.submit(self.run, submission).is_err() || self.node.is_fenced() {
            self.stop();
        }
    }

    /// The append under way has an answer: adopt, perform, reply.
    pub(super) fn committed(&mut self, outcome: Outcome) {
        let Some(under_way) = self.under_way.take() else { return };
        match (under_way, outcome) {
            (UnderWay::Append(draft), Outcome::Committed { at, kept }) => self.adopt(draft, at, kept),
            (UnderWay::Checkpoint(draft, reply), Outcome::Committed { at, .. }) => {
                self.adopt(draft, at, false);
                let _aborted = reply.send(Ok(()));
            }
            (UnderWay::Creation(events, reply), outcome) => self.created(events, reply, outcome),
            (UnderWay::Checkpoint(_, reply), Outcome::Refused(error)) => {
                let message = error.to_string();
                let _aborted =
                    reply.send(Err(crate::workflow::CxError::Transaction { step: String::new(), message }));
            }
            (UnderWay::Append(_), Outcome::Refused(error)) => self.fail(&error),
            (UnderWay::Append(_) | UnderWay::Checkpoint(..), Outcome::Fenced | Outcome::Existing) => {
                self.stop()
            }
            (UnderWay::Append(_) | UnderWay::Checkpoint(..), Outcome::Unknown) => self.orphan(),
        }
    }

    fn created(
        &mut self,
        events: Vec<Event>,
        reply: oneshot::Sender<Result<Creation, StoreError>>,
        outcome: Outcome,
    ) {
        let answer = match outcome {
            Outcome::Committed { at, .. } => match self.live_from(events, at) {
                Ok(()) => {
                    let _gone = reply.send(Ok(Creation::Created));
                    return;
                }
                Err(error) => Err(error),
            },
            Outcome::Existing => Ok(Creation::Existing),
            Outcome::Refused(error) => Err(error),
            Outcome::Fenced | Outcome::Unknown => Err(StoreError::Fenced),
        };
        let _gone = reply.send(answer);
        self.stop();
    }

    /// Folds committed events in, and lets the run's attempts, children, parents and waiting callers know.
    fn adopt(&mut self, mut draft: Draft, at: Timestamp, kept: bool) {
        let Some(mut state) = self.state.take() else { return };
        let events = recorded(state.seq, at, Some(self.node.id), std::mem::take(&mut draft.events));
        for event in &events {
            self.engine.metrics.committed(&state, event);
            if let Err(illegal) = fold_in(&mut state, event) {
                tracing::error!(run = %self.run, %illegal, "decide and evolve disagree: folding the log again");
                return self.orphan();
            }
        }
        self.claimed &= events.is_empty();
        if self.deaths > 0 && !events.is_empty() {
            // The next group of suspects may come.
            self.deaths = 0;
            self.engine.hint_due();
        }
        let ended = state.status.is_terminal();
        self.state = Some(state);
        let release = draft.release;
        let released = release.is_some() && !kept;
        if draft.release.is_some() && kept {
            self.has_mail = true;
            self.engine.post(self.run);
        }
        if self.draining {
            self.leave_rested(&draft.answers);
        }
        self.after_commit(draft, &events, at);
        self.ask_for(&events);
        self.engine.committed(self.run, &events);
        if ended {
            self.free_slot();
            self.announce_end();
            self.stop();
        } else if released {
            self.keep_snapshot();
            self.hint_release(release);
            self.stop();
        } else {
            self.perform();
        }
    }
}
