//! The actor of one live run.
//!
//! `handle` is the table of contents: a message becomes a pending command; [`Live::work`] decides and submits an append
//! when none is under way; its answer adopts the new state, performs what the state asks for, and replies.

mod live;
mod draft;
mod perform;
mod attempt;
mod judge;
mod misfit;
mod paper;
mod checkpoint;
mod park;
mod await_key;
mod leave;

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;

use super::admission::Slot;
use super::birth::Born;
use super::journal::Outcome;
use super::live::Expected;
use super::node::Node;
use super::supervisor::Engine;
use crate::model::{Failure, Message, Report, RunId, RunState, TaskName, Timestamp};
use crate::store::{Inbox, StoreError};
use crate::workflow::context::Told;
use crate::workflow::{CxError, Definition};

pub(super) use self::live::Live;

/// A run's actor, without its state.
pub(crate) struct Run {
    pub(crate) engine: Arc<Engine>,
    pub(crate) node: Arc<Node>,
}

/// What a run's actor is born with.
pub(crate) struct Beginning {
    pub(crate) run: RunId,
    pub(crate) begin: Begin,
    pub(crate) slot: Slot,
    /// The code, where the starter has it at hand; else the registry is asked.
    pub(crate) definition: Option<Arc<Definition>>,
}

/// How a run comes to live here.
pub(crate) enum Begin {
    /// It is new: create and start it in one commit.
    Create {
        /// Its first events.
        born: Box<Born>,
        /// Who started it.
        reply: oneshot::Sender<Result<Creation, StoreError>>,
    },
    /// It was created and started by its parent's commit.
    Adopt {
        /// The state after that commit.
        state: Box<RunState>,
        /// Its place until it is here.
        expected: Expected,
    },
    /// It was claimed, and its log loaded.
    Recover {
        /// The fold of its log.
        state: Box<RunState>,
        /// Messages that wait.
        inbox: Vec<Message>,
        /// How many messages were ever sent to it.
        mail_seen: i32,
        /// How often it was claimed, this time included.
        claims: i32,
        /// How often in a row its node died without its getting any further.
        deaths: i16,
        /// When it was claimed.
        assigned_at: Option<Timestamp>,
        /// Whether nothing holds its start back.
        may_start: bool,
        /// Its place until it is here.
        expected: Expected,
    },
}

/// What became of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Creation {
    /// The run is new.
    Created,
    /// Its key is taken.
    Existing,
}

/// What a run's actor is told.
pub(crate) enum RunMsg {
    /// An attempt got further.
    Told {
        /// The task's place in the plan.
        task: usize,
        /// Which attempt.
        attempt: u32,
        /// What it says.
        told: Told,
    },
    /// Code that seemed not to fit its log is judged.
    Misfit {
        /// The task's place in the plan.
        task: usize,
        /// Which attempt.
        attempt: u32,
        /// Whether it fits.
        fits: bool,
        /// How it differs.
        report: String,
    },
    /// The code judged what the conditions of a task asked.
    Judged {
        /// The task's place in the plan.
        task: usize,
        /// Its verdicts by term, or why there are none.
        verdicts: Result<Vec<(u16, bool)>, Failure>,
    },
    /// The append that was under way has an answer.
    Committed(Outcome),
    /// The timer went off.
    Tick,
    /// It has waited long enough to be parked.
    Rested,
    /// What the postman found; `None` = nothing.
    Inbox(Option<Inbox>),
    /// What was kept for one of its waits by a key was asked for.
    Asked,
    /// A transaction of the code wants to commit with its checkpoint.
    Checkpoint(Box<CheckpointWish>),
    /// The process shuts down.
    Drain,
}

/// A transaction that is about to commit.
pub(crate) struct CheckpointWish {
    pub(crate) task: TaskName,
    pub(crate) attempt: u32,
    pub(crate) transaction: sqlx::Transaction<'static, sqlx::Postgres>,
    pub(crate) completed: Report,
    pub(crate) reply: oneshot::Sender<Result<(), CxError>>,
}

impl Actor for Run {
    type Msg = RunMsg;
    type State = Live;
    type Arguments = Beginning;

    async fn pre_start(
        &self,
        myself: ActorRef<RunMsg>,
        beginning: Beginning,
    ) -> Result<Live, ActorProcessingErr> {
        // Two of a run would do everything twice, and meet each other's events.
        if !self.engine.live.enter(beginning.run, myself.clone()) {
            return Err(format!("run {} has an actor already", beginning.run).into());
        }
        let mut live = Live::new(Arc::clone(&self.engine), Arc::clone(&self.node), myself, beginning);
        live.begin();
        Ok(live)
    }

    async fn handle(
        &self,
        _myself: ActorRef<RunMsg>,
        message: RunMsg,
        live: &mut Live,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RunMsg::Told { task, attempt, told } => live.told(task, attempt, told),
            RunMsg::Misfit { task, attempt, fits, report } => live.judged(task, attempt, fits, report),
            RunMsg::Judged { task, verdicts } => live.verdicts(task, verdicts),
            RunMsg::Committed(outcome) => live.committed(outcome),
            RunMsg::Tick => live.tick(),
            RunMsg::Rested => live.rested(),
            RunMsg::Inbox(inbox) => live.inbox(inbox),
            RunMsg::Asked => live.asked(),
            RunMsg::Checkpoint(wish) => live.checkpoint(*wish),
            RunMsg::Drain => live.drain(),
        }
        live.work();
        Ok(())
    }

    async fn post_stop(&self, myself: ActorRef<RunMsg>, live: &mut Live) -> Result<(), ActorProcessingErr> {
        self.engine.live.remove(live.run, myself.get_id());
        live.abort_all();
        Ok(())
    }
}
