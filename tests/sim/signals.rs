//! What must hold of signals to keys once everything came to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use runlog::model::event::SignalAwaited;
use runlog::model::{Event, Key, OpKey, Recorded, RunEvent, TaskEvent, TaskName, Timestamp};
use runlog::store::memory::Accepted;
use runlog::store::{SignalState, Store};
use runlog::{Error, RunId};

use crate::marks::sometimes;
use crate::nodes::Cluster;

/// A wait for a key that nothing came to.
struct Vain {
    key: Key,
    from: Timestamp,
    until: Timestamp,
}

/// What a run's log says of signals to keys.
#[derive(Default)]
struct Story {
    got: BTreeSet<String>,
    vain: Vec<Vain>,
    problems: Vec<String>,
}

/// Says whether every accepted signal is told, or kept.
pub fn all_are_told(cluster: &Cluster) -> bool {
    cluster.store.accepted_signals().iter().all(|accepted| accepted.state != SignalState::New)
}

/// Checks that no signal is lost, none comes twice, and nobody who waits is forgotten.
pub async fn check(cluster: &Cluster, calm_at: Timestamp, grace: Duration) -> Result<(), Error> {
    let oracle = &cluster.oracle;
    let mut stories = BTreeMap::new();
    for run in cluster.store.runs() {
        let Ok(log) = cluster.store.log(run, 0, u32::MAX).await else { continue };
        let story = story(&log);
        for problem in &story.problems {
            oracle.violated(format!("{}: {problem}", cluster.trace.name(run)));
        }
        stories.insert(run, story);
    }
    let accepted = cluster.store.accepted_signals();
    for signal in &accepted {
        of_signal(cluster, signal, &stories);
        of_waits(cluster, signal, &stories, calm_at, grace);
    }
    for (token, sent) in oracle.all_signalled() {
        let of_token = |accepted: &&Accepted| accepted.signal.payload.text() == token.to_string();
        let told = accepted.iter().filter(of_token).map(|accepted| accepted.told.len() as u64);
        match told.collect::<Vec<_>>()[..] {
            [told] if told >= sent.runs => {}
            ref others => oracle.violated(format!("signal {token} was told as {sent:?}, and is {others:?}")),
        }
    }
    Ok(())
}

/// Reads a log. A second signal with one token is found elsewhere.
fn story(log: &[Recorded]) -> Story {
    let mut story = Story::default();
    let mut open: BTreeMap<(&TaskName, &OpKey), (Timestamp, &SignalAwaited)> = BTreeMap::new();
    let mut wanted: BTreeMap<&Key, u32> = BTreeMap::new();
    for Recorded { seq, at, event, .. } in log {
        match event {
            Event::Run(RunEvent::SignalReceived(got)) => {
                let Some(key) = &got.key else { continue };
                story.got.insert(got.payload.text().to_owned());
                match wanted.get_mut(key) {
                    Some(waits @ 1..) => *waits -= 1,
                    _ => story
                        .problems
                        .push(format!("event {seq}: a signal to {key} that no wait is left for")),
                }
            }
            Event::Task(place, TaskEvent::SignalAwaited(wait)) => {
                let Some(key) = &wait.key else { continue };
                *wanted.entry(key).or_default() += 1;
                open.insert((&place.task, &wait.op), (*at, wait));
            }
            Event::Task(place, TaskEvent::SignalTimedOut(out)) => {
                let Some((from, wait)) = open.remove(&(&place.task, &out.op)) else { continue };
                let key = wait.key.clone();
                story.vain.extend(key.map(|key| Vain { key, from, until: *at }));
            }
            _ => {}
        }
    }
    story
}

fn of_signal(cluster: &Cluster, accepted: &Accepted, stories: &BTreeMap<RunId, Story>) {
    let Accepted { signal, state, told, .. } = accepted;
    let token = signal.payload.text();
    let got = stories.iter().filter(|(_, story)| story.got.contains(token));
    let got: BTreeSet<RunId> = got.map(|(run, _)| *run).collect();
    if (*state, told.is_empty()) != (SignalState::Kept, true)
        && (*state, told.is_empty()) != (SignalState::Told, false)
    {
        cluster.oracle.violated(format!("signal {token} is {state:?}, and {} runs were told", told.len()));
    }
    // Who was told may have ended with the signal in its inbox.
    for run in got.difference(told) {
        let name = cluster.trace.name(*run);
        cluster.oracle.violated(format!("{name} has signal {token}, which it was not told"));
    }
    if got.len() > 1 {
        sometimes!("a signal to a key reached several runs");
    }
    let sender = token.parse().ok().and_then(|token: u64| cluster.oracle.all_signalled().remove(&token));
    match sender {
        Some(sent) if sent.kept && !got.is_empty() => sometimes!("a kept signal was taken"),
        None if !got.is_empty() => sometimes!("a signal came whose sender never heard of it"),
        Some(_) | None => {}
    }
}

/// A wait that stood open for long after the faults, and timed out, is proof that there was nothing for it.
fn of_waits(
    cluster: &Cluster,
    accepted: &Accepted,
    stories: &BTreeMap<RunId, Story>,
    calm_at: Timestamp,
    grace: Duration,
) {
    let Accepted { signal, state, at, told } = accepted;
    let commit = Duration::from_millis(cluster.plan.weather.commit_ms);
    for (run, story) in stories.iter().filter(|(run, _)| !told.contains(run)) {
        for wait in story.vain.iter().filter(|wait| wait.key == signal.key) {
            let since = calm_at.max(wait.from).max(*at);
            // What somebody has is only everybody's who waited when it was accepted.
            let is_theirs = *state == SignalState::Kept || wait.from + commit < *at;
            if is_theirs && since + grace < wait.until {
                let (name, token) = (cluster.trace.name(*run), signal.payload.text());
                let Vain { from, until, .. } = wait;
                cluster.oracle.violated(format!(
                    "{name} waited from {from} to {until}, and signal {token} of {at} did not come"
                ));
            }
        }
    }
}
