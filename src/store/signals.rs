//! Signals by key: sent to every run that waits, and kept while none does.
//!
//! A run that begins to wait and a sender commit their own fact first, then look for the other's by a question of its own:
//! whichever comes second finds the first. What is left undone by a crash between the two is found again:
//! [`untold_signals`](Signals::untold_signals) names signals, and whoever takes up a run asks anew for what it waits for.

use std::time::Duration;

use super::{Answer, Store, StoreError};
use crate::model::{Key, Namespace, Payload, RunId, SignalName};

/// Identifies an accepted signal by key; those accepted later have greater ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignalId(pub i64);

/// A signal that is sent to a key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyedSignal {
    /// Whose runs get it.
    pub namespace: Namespace,
    /// The sender's own id for it: one of a namespace is accepted once.
    pub sent_as: String,
    /// Its name.
    pub name: SignalName,
    /// Its key.
    pub key: Key,
    /// What it carries.
    pub payload: Payload,
}

/// What became of a signal that was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It is durable, now or since the same one was posted before.
    Accepted(SignalId),
    /// The sender's id for it is that of another signal.
    Another,
    /// As many are kept as may be, and nobody waits for this one.
    Full,
}

/// Where an accepted signal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalState {
    /// Some run that waits for it was not told yet.
    New,
    /// Nobody waited: the first run that asks takes it.
    Kept,
    /// It was delivered, or was not taken for so long that it is gone.
    Told,
}

/// How far a signal got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The runs that this call told.
    pub runs: Vec<RunId>,
    /// How many got it so far.
    pub count: u64,
    /// Where it stands.
    pub state: SignalState,
}

/// A run that waits for a signal by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The run.
    pub run: RunId,
    /// Its namespace.
    pub namespace: Namespace,
    /// The signal's name.
    pub name: SignalName,
    /// Its key.
    pub key: Key,
}

/// What a run that asks is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// There is nothing for it now: what comes later is brought.
    Nothing,
    /// These runs have a message now, mostly the one that asked: ask again, for more.
    Brought(Vec<RunId>),
    /// Somebody is busy with the signal or the run: ask again, a little later.
    Busy,
}

/// The store of signals by key.
pub trait Signals: Send + Sync {
    /// Accepts a signal. It is durable on return, and nobody was told.
    fn post_signal<'a>(&'a self, signal: &'a KeyedSignal) -> Answer<'a, Posted>;

    /// Puts a new signal into the inboxes of runs of its namespace that wait for it, some hundred a call, and settles it when
    /// nobody is left. Each run gets it once, and each wait one signal, whoever calls how often. A run may be left for the
    /// next call because it is being written to; then the state remains [`New`](SignalState::New).
    fn tell_signal(&self, signal: SignalId) -> Answer<'_, Told>;

    /// Gives a run whose wait is committed the oldest signal that is kept for it.
    fn ask_signal<'a>(&'a self, ask: &'a Ask) -> Answer<'a, Asked>;

    /// Lists new signals that were posted a second ago or earlier, at most `limit`.
    fn untold_signals(&self, limit: u32) -> Answer<'_, Vec<SignalId>>;
}

/// The first pause after a call that found somebody busy, and the longest; it doubles.
const BUSY_MIN: Duration = Duration::from_millis(1);
const BUSY_MAX: Duration = Duration::from_millis(64);

/// Calls that find somebody busy before it is left to the sweep: about two seconds.
const BUSY_CALLS_MAX: u32 = 36;

/// Tells a signal to everybody who waits. A crash, or an error, in the middle loses nothing: the sweep goes on with it.
///
/// # Errors
/// [`StoreError::Unavailable`]: it is unknown whom this told.
pub async fn tell(store: &dyn Store, signal: SignalId) -> Result<Told, StoreError> {
    let mut runs = Vec::new();
    let (mut busy, mut pause) = (0, BUSY_MIN);
    loop {
        let told = store.tell_signal(signal).await?;
        let progress = !told.runs.is_empty();
        runs.extend(told.runs);
        if told.state != SignalState::New || busy == BUSY_CALLS_MAX {
            return Ok(Told { runs, ..told });
        }
        if !progress {
            busy += 1;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BUSY_MAX);
        }
    }
}

/// Asks until there is nothing more for the run; returns which runs have a message now.
///
/// # Errors
/// [`StoreError::Unavailable`]: ask again.
pub async fn ask(store: &dyn Store, ask: &Ask) -> Result<Vec<RunId>, StoreError> {
    let mut brought = Vec::new();
    let mut pause = BUSY_MIN;
    for _ in 0..BUSY_CALLS_MAX {
        match store.ask_signal(ask).await? {
            Asked::Nothing => return Ok(brought),
            Asked::Brought(runs) => brought.extend(runs),
            Asked::Busy => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(BUSY_MAX);
            }
        }
    }
    Err(StoreError::Unavailable { source: format!("run {} is busy", ask.run).into() })
}
