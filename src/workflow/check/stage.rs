//! Code on a stage: it is driven, and every operation is answered from a script, event by event.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::script::{End, Script};
use crate::model::divergence::OpLine;
use crate::model::state::OpState;
use crate::model::{Line, OpKey, Report, Timestamp};
use crate::workflow::CxError;
use crate::workflow::context::{Asked, Cx, Drive, Host, Ledger, Parcel, Sent, Told};
use crate::workflow::definition::TaskCode;

/// How long code that waits for something that is not durable is given before the next event: a spawned future or a
/// short pause between two operations needs no more.
const GRACE: Duration = Duration::from_millis(2);

/// How long it is waited for before its operation counts as not asked for.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a play came to.
#[derive(Default)]
pub(super) struct Trace {
    /// The log's operations.
    pub(super) recorded: Vec<OpLine>,
    /// The code's, each where the log has it, or where the code asked for it.
    pub(super) code: Vec<OpLine>,
    /// Operations of the log that the code did not ask for.
    pub(super) unasked: Vec<OpKey>,
    /// Code and log differ.
    pub(super) diverges: bool,
    /// What the code waits for and the log does not have, when the log goes on.
    pub(super) stuck: Option<Asked>,
    /// How the code ended, if it did.
    pub(super) end: Option<End>,
    /// The code was waited for, for something that is not durable, in vain.
    pub(super) waits_elsewhere: bool,
    /// How many operations the code asked for.
    pub(super) asked: usize,
    /// Why the code cannot be played at all.
    pub(super) refused: Option<String>,
}

/// Plays a task's code against a script. Operations in `supposed` are answered with what is given there.
pub(super) async fn play(code: &TaskCode, script: &Script, supposed: &BTreeMap<OpKey, OpState>) -> Trace {
    let mut stage = Stage::new(code, script, supposed);
    stage.rest(GRACE, |_| false).await;
    stage.place_new();
    for cue in &script.cues {
        if let Some(race) = cue.asks.as_ref().filter(|line| line.kind == "race") {
            stage.turn += 1;
            stage.ledger.reach(&race.op);
            stage.rest(GRACE, |_| false).await;
            stage.place_new();
        }
        if let Some(line) = &cue.asks {
            stage.meet(line).await;
        }
        stage.turn += 1;
        stage.ledger.bring(&cue.key, &cue.op);
        stage.rest(GRACE, |_| false).await;
        stage.place_new();
    }
    stage.close().await
}

struct Stage<'script> {
    script: &'script Script,
    supposed: &'script BTreeMap<OpKey, OpState>,
    ledger: Arc<Ledger>,
    drive: Drive<Tell>,
    told: Arc<Mutex<Outcome>>,
    /// The code only waits for durable operations, or ended.
    at_rest: bool,
    /// How many of the code's operations were looked at.
    seen: usize,
    /// After how many cues each operation was asked for.
    turns: BTreeMap<OpKey, usize>,
    turn: usize,
    /// What the code went on from without waiting, and the log did not have so far.
    instants: Vec<Asked>,
    /// What is recorded as soon as it is asked for, and is not in the log: after how many lines of the code's.
    prompt: Vec<(usize, Asked)>,
    placed: BTreeSet<OpKey>,
    /// Asked for after the log had it.
    late: BTreeSet<OpKey>,
    last_was_asked: bool,
    trace: Trace,
}

type Tell = Box<dyn Fn(Told) + Send>;

#[derive(Default)]
struct Outcome {
    end: Option<End>,
    refused: Option<String>,
}

impl<'script> Stage<'script> {
    fn new(
        code: &TaskCode,
        script: &'script Script,
        supposed: &'script BTreeMap<OpKey, OpState>,
    ) -> Stage<'script> {
        let ledger = Arc::new(Ledger::rehearsal(script.attempt, script.foreseen(supposed)));
        let cx = Cx::new(script.facts.clone(), Arc::clone(&ledger), Arc::new(Nobody));
        let scene = (cx.paper(), cx.remote());
        let (run, inputs) = (Arc::clone(&code.run), script.inputs.clone());
        let future = async move { run(cx, inputs).await }.boxed();
        let told = Arc::new(Mutex::new(Outcome::default()));
        let outcome = Arc::clone(&told);
        let tell: Tell =
            Box::new(move |told| hear(&mut outcome.lock().unwrap_or_else(PoisonError::into_inner), told));
        let drive = Drive::new(future, Arc::clone(&ledger), code.location.clone(), scene, tell);
        Stage {
            script,
            supposed,
            ledger,
            drive,
            told,
            at_rest: false,
            seen: 0,
            turns: BTreeMap::new(),
            turn: 0,
            instants: Vec::new(),
            prompt: Vec::new(),
            placed: BTreeSet::new(),
            late: BTreeSet::new(),
            last_was_asked: true,
            trace: Trace::default(),
        }
    }

    /// Lets the code go on until it rests, ends, `enough` says so, or `patience` is over.
    async fn rest(&mut self, patience: Duration, enough: impl Fn(&Ledger) -> bool) {
        if self.trace.end.is_some() || self.trace.refused.is_some() {
            return;
        }
        let (drive, ledger) = (&mut self.drive, &self.ledger);
        let play = poll_fn(|context| match Pin::new(&mut *drive).poll(context) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending if drive.is_idle() => Poll::Ready(true),
            Poll::Pending if enough(ledger) => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        });
        // What does not come to rest once is not waited for again.
        let patience = if self.trace.waits_elsewhere { GRACE } else { patience };
        let rested = tokio::time::timeout(patience, play).await;
        self.trace.waits_elsewhere |= rested.is_err() && patience > GRACE;
        self.at_rest = rested.unwrap_or(false);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        self.trace.end = self.trace.end.or(told.end.take());
        self.trace.refused = self.trace.refused.take().or(told.refused.take());
    }

    /// The log has an operation here: the code must have asked for it.
    async fn meet(&mut self, line: &OpLine) {
        self.trace.recorded.push(line.clone());
        let asked = |ledger: &Ledger| ledger.asked(&line.op).filter(|asked| asked.line.kind == line.kind);
        if asked(&self.ledger).is_none() && !self.at_rest {
            self.rest(PATIENCE, |ledger| asked(ledger).is_some()).await;
            self.place_new();
        }
        let asked = asked(&self.ledger);
        self.last_was_asked = asked.is_some();
        let Some(asked) = asked else {
            self.trace.diverges = true;
            self.trace.unasked.push(line.op.clone());
            return;
        };
        self.place_instants(&asked);
        let differs = matches!((&line.input, &asked.line.input), (Some(a), Some(b)) if a != b);
        self.trace.diverges |= differs;
        self.place(asked);
    }

    fn place(&mut self, asked: Asked) {
        if self.placed.insert(asked.line.op.clone()) {
            self.trace.code.push(asked.line);
        }
    }

    /// Gives a place to what the code asks for now: what the log had earlier, and what is only supposed.
    fn place_new(&mut self) {
        let new = self.ledger.asked_since(self.seen);
        self.seen = self.ledger.asked_count();
        for asked in new {
            let op = &asked.line.op;
            self.turns.insert(op.clone(), self.turn);
            let is_it = |line: &&OpLine| line.op == *op && line.kind == asked.line.kind;
            let late = self.trace.unasked.iter().position(|unasked| unasked == op);
            if self.supposed.contains_key(op) {
                self.place_instants(&asked);
                self.place(asked);
            } else if let Some(late) = late.filter(|_| self.trace.recorded.iter().any(|line| is_it(&line))) {
                self.late.insert(self.trace.unasked.remove(late));
                self.place_instants(&asked);
                self.place(asked);
            } else if asked.is_instant() && asked.driven {
                self.instants.push(asked);
            } else if asked.is_prompt() && asked.driven && !self.script.asks.contains(op) {
                self.prompt.push((self.trace.code.len(), asked));
            }
        }
    }

    /// What the code went on from, on its way to `asked` without a wait, the log has before that: what it has not is the
    /// code's alone, or moved. Between two waits only one branch of the code is at work, so that other branches, whose
    /// order nobody knows, are not held against it.
    fn place_instants(&mut self, asked: &Asked) {
        let turn = self.turns.get(&asked.line.op).copied();
        let (ledger, turns) = (Arc::clone(&self.ledger), &self.turns);
        let is_before = |instant: &Asked| {
            instant.order < asked.order && turns.get(&instant.line.op).copied() == turn && asked.driven
        };
        let (before, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.instants)
            .into_iter()
            .filter(|instant| instant.line.op != asked.line.op && !ledger.is_lost(&instant.line.op))
            .partition(is_before);
        self.instants = kept;
        self.trace.diverges |= !before.is_empty();
        before.into_iter().for_each(|instant| self.place(instant));
    }

    /// The log ends here. Where it says that the code returned, the code must have.
    async fn close(mut self) -> Trace {
        let returned = self.script.end == Some(End::Succeeded);
        if returned && !self.at_rest {
            self.rest(PATIENCE, |_| false).await;
            self.place_new();
        }
        self.forgive_losers();
        let goes_on = self.trace.end.is_none();
        if returned {
            let unknown = |instant: &Asked| {
                let op = &instant.line.op;
                !self.script.asks.contains(op) && !self.ledger.is_lost(op)
            };
            let (unknown, _): (Vec<_>, Vec<_>) =
                std::mem::take(&mut self.instants).into_iter().partition(unknown);
            self.trace.diverges |= goes_on || !unknown.is_empty();
            unknown.into_iter().for_each(|instant| self.place(instant));
        }
        if returned && self.trace.diverges {
            self.place_prompt();
        }
        if goes_on && (returned || !self.last_was_asked) {
            let asked = self.ledger.asked_since(0);
            let unknown = asked.iter().rev().find(|asked| self.is_unknown(asked));
            self.trace.stuck =
                unknown.or_else(|| asked.iter().rev().find(|asked| self.was_dropped(asked))).cloned();
        }
        self.trace.waits_elsewhere &= goes_on;
        self.trace.waits_elsewhere |=
            goes_on && !self.last_was_asked && self.trace.stuck.is_none() && !self.waits_for_the_log();
        self.trace.asked = self.ledger.asked_count();
        self.trace
    }

    /// Shows what the code began and did not wait for, as a race's loser: it alone tells two logs apart at times, when
    /// what has no name of its own took its place.
    fn place_prompt(&mut self) {
        for (place, asked) in std::mem::take(&mut self.prompt).into_iter().rev() {
            let op = &asked.line.op;
            if !self.ledger.is_lost(op) && self.placed.insert(op.clone()) {
                self.trace.code.insert(place.min(self.trace.code.len()), asked.line);
            }
        }
    }

    /// Says whether the code waits for it, and the log has that it was dropped: it took the place of another one.
    fn was_dropped(&self, asked: &Asked) -> bool {
        let op = &asked.line.op;
        let recorded = self.script.after.get(op);
        recorded.is_some_and(|op| op.state == OpState::Abandoned) && !self.supposed.contains_key(op)
    }

    /// A race that the code came to when it was long over ran no loser, as after a crash.
    fn forgive_losers(&mut self) {
        let races = self.late.iter().filter_map(|race| self.script.after.get(race));
        let lost: BTreeSet<&OpKey> = races.flat_map(|race| race.state.lost()).collect();
        let unasked = std::mem::take(&mut self.trace.unasked);
        let (forgiven, unasked): (Vec<_>, Vec<_>) = unasked.into_iter().partition(|op| lost.contains(op));
        self.trace.recorded.retain(|line| !forgiven.contains(&line.op));
        self.trace.unasked = unasked;
    }

    /// Says whether the code waits for something that the log has begun and not ended.
    fn waits_for_the_log(&self) -> bool {
        let is_open = |state: &OpState| match state {
            OpState::StepStarted { .. }
            | OpState::StepFailed { retry_at: Some(_), .. }
            | OpState::Timer { fired: false, .. }
            | OpState::Signal { outcome: None, .. }
            | OpState::Child { outcome: None, .. } => true,
            OpState::StepCompleted { .. }
            | OpState::StepFailed { .. }
            | OpState::Timer { .. }
            | OpState::Signal { .. }
            | OpState::Child { .. }
            | OpState::Race { .. }
            | OpState::Time { .. }
            | OpState::Abandoned => false,
        };
        let open = self.script.after.iter().filter(|(_, op)| is_open(&op.state));
        open.into_iter().any(|(key, _)| self.ledger.asked(key).is_some())
    }

    /// Says whether the code waits for it and the log has nothing of the kind.
    fn is_unknown(&self, asked: &Asked) -> bool {
        let op = &asked.line.op;
        let recorded = self.trace.recorded.iter().any(|line| line.op == *op && line.kind == asked.line.kind);
        !recorded && !asked.was_known && !asked.is_instant() && !self.supposed.contains_key(op)
    }
}

fn hear(outcome: &mut Outcome, told: Told) {
    match told {
        Told::Progress { reports, .. } => {
            for report in reports {
                match report {
                    Report::Succeeded { .. } => outcome.end = Some(End::Succeeded),
                    Report::Failed { .. } => outcome.end = Some(End::Failed),
                    _ => {}
                }
            }
        }
        Told::Diverged { report } => outcome.refused = Some(report),
    }
}

/// Nobody runs the attempt: no body begins, no transaction, and nothing is written.
struct Nobody;

impl Host for Nobody {
    fn runs(&self, _op: &OpKey) {}

    fn begin(&self) -> BoxFuture<'_, Result<sqlx::PgTransaction<'static>, CxError>> {
        let message = "a check runs no transaction".to_owned();
        async move { Err(CxError::Transaction { step: String::new(), message }) }.boxed()
    }

    fn commit(
        &self,
        _transaction: sqlx::PgTransaction<'static>,
        _completed: Report,
    ) -> BoxFuture<'_, Result<(), CxError>> {
        let message = "a check commits nothing".to_owned();
        async move { Err(CxError::Transaction { step: String::new(), message }) }.boxed()
    }

    fn line(&self, _at: Timestamp, _step: Option<String>, _line: Line) {}

    fn send(&self, _parcel: Parcel) -> BoxFuture<'_, Result<Sent, CxError>> {
        async move { Ok(Sent::New) }.boxed()
    }
}
