//! What must hold in every world once the faults are over and everything came to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use runlog::model::event::ReusedOp;
use runlog::model::evolve::fold;
use runlog::model::{Event, OpKey, Recorded, RunEvent, RunState, TaskEvent, TaskName};
use runlog::store::{AtGate, Flow, RunRow, Store};
use runlog::{Error, RunId, Status};

use crate::marks::sometimes;
use crate::nodes::Cluster;

type Op = (TaskName, OpKey);

/// Checks the world against all invariants.
pub async fn check(cluster: &Cluster) -> Result<(), Error> {
    let (store, oracle) = (&cluster.store, &cluster.oracle);
    for run in store.runs() {
        let name = cluster.trace.name(run);
        let Some(row) = store.row(run).await? else { continue };
        let log = match store.log(run, 0, u32::MAX).await {
            Ok(log) => log,
            Err(error) => {
                oracle.violated(format!("{name}: its log cannot be read: {error}"));
                continue;
            }
        };
        let state = match fold(run, &log) {
            Ok(Some(state)) => state,
            Ok(None) => {
                oracle.violated(format!("{name}: its log is empty"));
                continue;
            }
            Err(illegal) => {
                oracle.violated(format!("{name}: {illegal}"));
                continue;
            }
        };
        let mut found = of_row(&row, &state);
        found.extend(of_log(&log));
        found.extend(of_ops(&log));
        found.extend(of_family(cluster, run, &row, &state).await?);
        if !store.inbox(&[run]).await?.is_empty() {
            found.push("messages are forgotten in its inbox".to_owned());
        }
        for problem in found {
            oracle.violated(format!("{name}: {problem}"));
        }
        note_marks(cluster, &row, &state, &log);
    }
    let noticed = store.noticed();
    for breach in &noticed.breaches {
        oracle.violated(breach.clone());
    }
    for (waited, _) in &noticed.waited {
        match waited {
            ("rescue", "append") => sometimes!("a takeover waited for an append"),
            ("rescue", "claim") => sometimes!("a takeover waited for a claim"),
            ("heartbeat", "append") => sometimes!("a heartbeat waited for an append"),
            _ => {}
        }
    }
    if noticed.repeated > 0 {
        sometimes!("a commit was in doubt and recognised");
    }
    if noticed.kept > 0 {
        sometimes!("a release was left out for a message");
    }
    Ok(())
}

fn of_row(row: &RunRow, state: &RunState) -> Vec<String> {
    let mut found = Vec::new();
    if row.status != state.status {
        found.push(format!("its row says {}, its log {}", row.status, state.status));
    }
    if !row.status.is_terminal() {
        found.push(format!("it never ended: {}", row.status));
    }
    if row.owner.is_some() || row.wake_at.is_some() {
        found.push("it ended and is owned or due".to_owned());
    }
    found
}

/// Times ascend, and a node's stretch begins with the commit by which it took the run.
fn of_log(log: &[Recorded]) -> Vec<String> {
    let mut found = Vec::new();
    for (before, after) in log.iter().zip(log.iter().skip(1)) {
        if after.at < before.at {
            found.push(format!("event {} is older than the one before it", after.seq));
        }
        let opens = match &after.event {
            Event::Run(RunEvent::Claimed(_) | RunEvent::Started(_)) => true,
            // A queued run may end without having been started.
            Event::Run(RunEvent::Cancelled(_) | RunEvent::TimedOut(_) | RunEvent::SignalReceived(_)) => {
                before.node.is_none() || !log.iter().take(after.seq as usize).any(is_started)
            }
            Event::Run(_) | Event::Task(..) => false,
        };
        if before.node != after.node && !opens {
            let (from, to) = (before.node, after.node);
            found.push(format!("event {} goes from {from:?} to {to:?} without a claim", after.seq));
        }
    }
    found
}

fn is_started(recorded: &Recorded) -> bool {
    matches!(recorded.event, Event::Run(RunEvent::Started(_)))
}

/// Each outcome once, and nothing before its time.
fn of_ops(log: &[Recorded]) -> Vec<String> {
    let mut found = Vec::new();
    let mut done: BTreeSet<Op> = BTreeSet::new();
    let mut children: BTreeSet<Op> = BTreeSet::new();
    // A wait may outlive the attempt that began it.
    let mut due: BTreeMap<Op, chrono::DateTime<chrono::Utc>> = BTreeMap::new();
    let mut retry_at = BTreeMap::new();
    let mut terms = BTreeMap::new();
    let mut tokens = BTreeSet::new();
    for Recorded { seq, at, event, .. } in log {
        let mut once = |fresh: bool, what: &str| {
            if !fresh {
                found.push(format!("event {seq}: {what} for the second time"));
            }
        };
        let (place, event) = match event {
            Event::Task(place, event) => (place, event),
            Event::Run(RunEvent::SignalReceived(got)) => {
                once(tokens.insert(got.payload.text().to_owned()), "a signal");
                continue;
            }
            Event::Run(RunEvent::TimedOut(out)) => {
                if out.deadline > *at {
                    found.push(format!("event {seq}: it timed out early"));
                }
                continue;
            }
            Event::Run(_) => continue,
        };
        let key = |op: &OpKey| (place.task.clone(), op.clone());
        match event {
            TaskEvent::StepCompleted(step) => once(done.insert(key(&step.op)), "a step's outcome"),
            TaskEvent::OpReused(reused) => match &reused.recorded {
                ReusedOp::Step { .. } => once(done.insert(key(&reused.op)), "a step's outcome"),
                ReusedOp::Child { .. } => once(children.insert(key(&reused.op)), "a child's end"),
                _ => {}
            },
            TaskEvent::ChildFinished(child) => once(children.insert(key(&child.op)), "a child's end"),
            TaskEvent::TimerStarted(timer) => {
                due.insert(key(&timer.op), timer.fire_at);
            }
            TaskEvent::SignalAwaited(wait) => {
                due.extend(wait.deadline.map(|deadline| (key(&wait.op), deadline)));
            }
            TaskEvent::TimerFired(_) | TaskEvent::SignalTimedOut(_) => {
                match event.op().and_then(|op| due.remove(&key(op))) {
                    Some(due) if due <= *at => {}
                    Some(_) => found.push(format!("event {seq}: it fired early")),
                    None => found.push(format!("event {seq}: it fired and was not set")),
                }
            }
            TaskEvent::ConditionsOpened(opened) => {
                sometimes!("a task waited for its conditions");
                let term = |(term, at): &(u16, _)| ((place.task.clone(), *term), *at);
                terms.extend(opened.due.iter().map(term));
            }
            TaskEvent::ConditionDecided(decided) => {
                if terms.remove(&(place.task.clone(), decided.term)).is_some_and(|due| due > *at) {
                    found.push(format!("event {seq}: a condition was met early"));
                }
            }
            TaskEvent::TaskSkipped(_) => sometimes!("a task was skipped"),
            TaskEvent::AttemptFailed(failed) => {
                retry_at.extend(failed.retry_at.map(|at| (place.task.clone(), at)));
            }
            TaskEvent::AttemptStarted(_) => {
                if retry_at.remove(&place.task).is_some_and(|due| due > *at) {
                    found.push(format!("event {seq}: it was tried again early"));
                }
            }
            TaskEvent::TimeoutExtended(_)
            | TaskEvent::AttemptSucceeded(_)
            | TaskEvent::StepStarted(_)
            | TaskEvent::StepFailed(_)
            | TaskEvent::WaitAbandoned(_)
            | TaskEvent::ChildStarted(_)
            | TaskEvent::RaceWon(_)
            | TaskEvent::TimeRead(_)
            | TaskEvent::PatchMarked(_)
            | TaskEvent::TaskReused(_)
            | TaskEvent::TaskResumed(_) => {}
        }
    }
    found
}

/// Parent and child know each other and agree.
async fn of_family(
    cluster: &Cluster,
    run: RunId,
    row: &RunRow,
    state: &RunState,
) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let store = &cluster.store;
    for (child, known) in &state.children {
        let name = cluster.trace.name(*child);
        let Some(child) = store.row(*child).await? else {
            found.push(format!("its child {name} does not exist"));
            continue;
        };
        if child.parent != Some(run) {
            found.push(format!("its child {name} has another parent"));
        }
        if known.outcome.as_ref().is_some_and(|outcome| outcome.status != child.status) {
            found.push(format!("its child {name} ended as {}, it knows otherwise", child.status));
        }
        if row.status == Status::Cancelled && child.status == Status::Cancelled {
            sometimes!("a cancelled parent's child was cancelled");
        }
    }
    for child in store.children(run, u32::MAX).await? {
        if !state.children.contains_key(&child.run) {
            found.push(format!("it does not know its child {}", cluster.trace.name(child.run)));
        }
    }
    Ok(found)
}

fn note_marks(cluster: &Cluster, row: &RunRow, state: &RunState, log: &[Recorded]) {
    match row.status {
        Status::Cancelled => sometimes!("a run was cancelled"),
        Status::Failed => sometimes!("a run failed"),
        Status::TimedOut if row.started_at.is_none() => sometimes!("a run never started in time"),
        Status::TimedOut => sometimes!("a run timed out"),
        Status::Queued | Status::Running | Status::Succeeded => {}
    }
    let nodes: BTreeSet<_> = log.iter().filter_map(|recorded| recorded.node).collect();
    if nodes.len() > 3 {
        sometimes!("a run moved three times");
    }
    if log.len() > 280 && state.claims > 1 {
        sometimes!("a run with a long log was parked");
    }
    let mut dead = cluster.store.leases();
    dead.retain(|lease| lease.is_dead);
    let is_dead = |recorded: &Recorded| dead.iter().any(|lease| Some(lease.node) == recorded.node);
    let mut timers: BTreeMap<OpKey, &Recorded> = BTreeMap::new();
    let mut before: Option<&Recorded> = None;
    let mut taken_over_at = None;
    for recorded in log {
        let left_by_dead = before.replace(recorded).is_some_and(|before| is_dead(before));
        let Event::Task(_, event) = &recorded.event else {
            match &recorded.event {
                Event::Run(RunEvent::SignalReceived(_)) => sometimes!("a signal came in time"),
                Event::Run(RunEvent::Claimed(_)) if left_by_dead => taken_over_at = Some(recorded.at),
                _ => {}
            }
            continue;
        };
        match event {
            TaskEvent::TimerStarted(timer) => {
                timers.insert(timer.op.clone(), recorded);
            }
            TaskEvent::TimerFired(timer) => {
                let Some(started) = timers.get(&timer.op) else { continue };
                if started.node != recorded.node && is_dead(started) {
                    sometimes!("a timer fired after a takeover");
                }
                if recorded.at - started.at > chrono::TimeDelta::hours(1) {
                    sometimes!("a timer of more than an hour fired");
                }
            }
            TaskEvent::SignalTimedOut(_) => sometimes!("a signal timed out"),
            TaskEvent::ChildFinished(_) if taken_over_at == Some(recorded.at) => {
                sometimes!("a child ended while its parent's node was dead");
            }
            TaskEvent::StepFailed(failed) if &*failed.error.kind == "interrupted" => {
                sometimes!("an at-most-once step was interrupted");
            }
            _ => {}
        }
    }
    let ran = |task: &runlog::model::state::TaskState| task.name == *"sorry" && task.attempt() > 0;
    if state.tasks.iter().any(ran) {
        sometimes!("a task failed for good and on_failure ran");
    }
}

/// Says what is overdue although faults ended long ago: nothing may wait longer than `grace` for a node.
pub async fn overdue(cluster: &Cluster, live: &[RunRow], grace: Duration) -> Result<Option<String>, Error> {
    let now = cluster.now();
    let long_ago = |at: chrono::DateTime<chrono::Utc>| (now - at).to_std().is_ok_and(|late| late > grace);
    for row in live {
        let name = cluster.trace.name(row.run);
        if row.wake_at.is_some_and(long_ago) || row.deadline_at.is_some_and(long_ago) {
            return Ok(Some(format!("{name} is overdue: {row:?}")));
        }
        let quiet = cluster.oracle.quiet(row.run);
        if row.owner.is_some() && quiet > grace && row.claimed_at.is_some_and(long_ago) {
            return Ok(Some(format!("{name} does nothing for {quiet:?}: {row:?}")));
        }
        let runs = u32::try_from(cluster.store.runs().len()).unwrap_or(u32::MAX);
        let children = cluster.store.children(row.run, u32::MAX).await?;
        let waits = row.wake_at.is_some() || children.iter().any(|child| !child.status.is_terminal());
        if let Some(AtGate { running, slots: Some(slots), key, until, quiet_at, .. }) =
            cluster.store.at_gate(row.run).await?
        {
            // Each window of a rate lets one of the others in, at least.
            let rate = cluster.plan.limit.and_then(|limit| limit.rate);
            let turns = Duration::from_millis(rate.map_or(0, |(_, window_ms)| window_ms)) * runs;
            if running < slots && until.is_none() && quiet_at.is_none() && quiet > grace + turns {
                return Ok(Some(format!("{name} waits and {running} of {slots} slots of {key:?} are taken")));
            }
            continue;
        }
        if row.owner.is_none() && !waits && quiet > grace {
            return Ok(Some(format!("{name} waits for nothing: {row:?}")));
        }
    }
    Ok(None)
}
