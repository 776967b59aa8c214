//! What must hold of limits of concurrency.

use std::collections::BTreeMap;
use std::time::Duration;

use runlog::model::event::RunCancelled;
use runlog::model::evolve::fold;
use runlog::model::{Event, Recorded, RunEvent, Timestamp};
use runlog::store::Store;
use runlog::store::memory::Passage;
use runlog::{Error, RunId};

use crate::marks::sometimes;
use crate::nodes::Cluster;
use crate::plan::Limit;

/// A run under a limit.
struct Stretch {
    run: RunId,
    created: Timestamp,
    /// From its start to its end, if it was ever started.
    ran: Option<(Timestamp, Timestamp)>,
}

/// Never more runs of a key run than there are slots.
pub async fn check(cluster: &Cluster) -> Result<(), Error> {
    let Some(limit) = cluster.plan.limit else { return Ok(()) };
    rate(cluster, limit);
    debounce(cluster, limit);
    let slots = limit.slots as usize;
    for (key, runs) in by_key(cluster).await? {
        let ran = |at: Timestamp| {
            let over = |run: &&Stretch| run.ran.is_some_and(|(start, end)| start <= at && at < end);
            runs.iter().filter(over).count()
        };
        for run in &runs {
            let Some((start, _)) = run.ran else { continue };
            let running = ran(start);
            if running > slots {
                let name = cluster.trace.name(run.run);
                cluster.oracle.violated(format!("{name} is the {running}th run of {key:?}, of {slots}"));
            }
            if start > run.created && ran(run.created) >= slots {
                sometimes!("a run waited for its limit");
            }
        }
    }
    Ok(())
}

/// In no window more runs of a key are let in than its rate says.
fn rate(cluster: &Cluster, limit: Limit) {
    let Some((starts, window_ms)) = limit.rate else { return };
    let (starts, window) = (starts as usize, Duration::from_millis(window_ms));
    for (key, times) in cluster.store.starts_by_key() {
        for (at, pair) in times.windows(starts + 1).enumerate() {
            let took = pair[starts] - pair[0];
            let took_ms = took.num_milliseconds();
            if pair[starts] < pair[0] + window {
                let detail = format!("{} starts of {key:?} in {took_ms} ms of {window_ms}", starts + 1);
                cluster.oracle.violated(format!("{detail}, from the {at}th on"));
            }
            if pair[starts] < pair[0] + window + Duration::from_millis(50) {
                sometimes!("a start waited for its rate");
            }
        }
    }
}

/// Nobody is let in before its key was quiet, or its burst lasted for as long as it may.
fn debounce(cluster: &Cluster, limit: Limit) {
    let Some((quiet_ms, max_wait_ms)) = limit.debounce else { return };
    for Passage { run, came, burst, let_in_at } in cluster.store.passages() {
        let Some((burst, let_in_at)) = burst.zip(let_in_at) else { continue };
        let bound = max_wait_ms.map(|max_wait_ms| burst + Duration::from_millis(max_wait_ms));
        let quiet = came + Duration::from_millis(quiet_ms);
        if bound.is_some_and(|bound| bound < quiet) {
            sometimes!("a burst was let in before its key was quiet");
        }
        let earliest = bound.map_or(quiet, |bound| bound.min(quiet));
        if let_in_at < earliest || came < burst {
            let name = cluster.trace.name(run);
            let detail =
                format!("{name} of a burst since {burst} came at {came}, to be quiet until {earliest}");
            cluster.oracle.violated(format!("{detail}, and was let in at {let_in_at}"));
        }
    }
}

/// Whoever is cancelled for a newer run came before it.
fn gave_way(cluster: &Cluster, run: RunId, reason: Option<&str>) {
    let newer = reason.and_then(|reason| reason.split_once(" is debounced, and run "));
    let Some((newer, _)) = newer.and_then(|(_, newer)| newer.split_once(' ')) else { return };
    sometimes!("a run gave way to one that came after it");
    let newer: Option<RunId> = newer.parse().ok();
    let passages = cluster.store.passages();
    let came = |run: RunId| passages.iter().find(|of| of.run == run).map(|of| (of.came, of.run));
    if newer.and_then(came) <= came(run) {
        let (name, newer) = (cluster.trace.name(run), newer.map(|newer| cluster.trace.name(newer)));
        cluster.oracle.violated(format!("{name} gave way to {newer:?}, which did not come after it"));
    }
}

async fn by_key(cluster: &Cluster) -> Result<BTreeMap<String, Vec<Stretch>>, Error> {
    let store = &cluster.store;
    let dead: Vec<_> =
        store.leases().into_iter().filter(|lease| lease.is_dead).map(|lease| lease.node).collect();
    let mut by_key: BTreeMap<String, Vec<Stretch>> = BTreeMap::new();
    for run in store.runs() {
        let log = store.log(run, 0, u32::MAX).await?;
        let Ok(Some(state)) = fold(run, &log) else { continue };
        let Some(limited) = state.origin.limit else { continue };
        let at = |is: fn(&RunEvent) -> bool| {
            let found = log.iter().find(|recorded| matches!(&recorded.event, Event::Run(event) if is(event)));
            found.map(|recorded| recorded.at)
        };
        let started = at(|event| matches!(event, RunEvent::Started(_)));
        let ended = log.last().map_or(state.origin.created_at, |last| last.at);
        let stretch =
            Stretch { run, created: state.origin.created_at, ran: started.map(|started| (started, ended)) };
        by_key.entry(limited.key).or_default().push(stretch);

        if let Some(Event::Run(RunEvent::Cancelled(RunCancelled { by: Some(by), reason }))) =
            log.last().map(|last| &last.event)
            && by.starts_with("limit ")
        {
            gave_way(cluster, run, reason.as_deref());
            match started {
                Some(_) => sometimes!("a run gave way to a newer one"),
                None => sometimes!("a run that found no slot was cancelled"),
            }
        }
        let is_dead = |recorded: &Recorded| recorded.node.is_some_and(|node| dead.contains(&node));
        let taken_over = |pair: &[Recorded]| {
            is_dead(&pair[0]) && matches!(pair[1].event, Event::Run(RunEvent::Claimed(_)))
        };
        if log.windows(2).any(taken_over) {
            sometimes!("a run kept its slot over a takeover");
        }
        let early = |recorded: &Recorded| {
            let got = matches!(recorded.event, Event::Run(RunEvent::SignalReceived(_)));
            got && started.is_some_and(|started| recorded.at < started)
        };
        if log.iter().any(early) {
            sometimes!("a run at its gate got a message");
        }
    }
    Ok(by_key)
}
