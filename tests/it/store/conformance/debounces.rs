//! Limits that wait until a key is quiet.

use std::sync::Arc;
use std::time::Duration;

use runlog::model::limit::{Debounce, Policy};
use runlog::model::{RunId, Status, Timestamp};
use runlog::store::{AtGate, Claimed, Shape, Store};

use super::super::process::*;
use super::limits::{due, look, of, shape_with, sorted};
use super::rates::reasons;
use crate::support::until;

const MOMENT: Duration = Duration::from_millis(1);

fn for_as_long_as(quiet: Duration) -> Debounce {
    Debounce { quiet, max_wait: None }
}

fn shape(slots: u32, policy: Policy, debounce: Debounce) -> Shape {
    let mut shape = shape_with(Some((slots, policy)), None);
    shape.limit.as_mut().expect("a limit").debounce = Some(debounce);
    shape
}

async fn register(store: &Arc<dyn Store>, slots: u32, policy: Policy, debounce: Debounce) {
    store.register(&[shape(slots, policy, debounce)]).await.expect("registered");
}

async fn debounced(store: &Arc<dyn Store>, debounce: Debounce) -> Process {
    register(store, 9, Policy::Queue, debounce).await;
    Process::join(store).await
}

async fn at_gate(store: &Arc<dyn Store>, run: RunId) -> AtGate {
    store.at_gate(run).await.expect("an answer").expect("it stands at its gate")
}

/// Reads when a run may be let in, which is ahead.
async fn quiet_at(store: &Arc<dyn Store>, run: RunId) -> Timestamp {
    at_gate(store, run).await.quiet_at.expect("its key is not quiet yet")
}

/// Looks until a run is let in, and gives those that were.
async fn let_in(process: &Process) -> Vec<RunId> {
    let looks = async {
        loop {
            let Claimed { mut runs, held_back, .. } = look(process, 100).await;
            runs.retain(|run| !held_back.contains(run));
            if !runs.is_empty() {
                return runs;
            }
        }
    };
    tokio::time::timeout(LONG / 10, looks).await.expect("in time")
}

pub(super) async fn the_newest_of_a_burst_stands_for_all_of_it(store: Arc<dyn Store>) {
    let process = debounced(&store, for_as_long_as(LONG)).await;
    let before = store.now().await.expect("the time");
    let mut runs = Vec::new();
    for key in ["a", "a", "b", "a"] {
        runs.push(process.queued(of(key)).await);
        assert_eq!(look(&process, 0).await.runs, []);
    }
    for (older, newer) in [(0, 1), (1, 3)] {
        let reason = format!("limit `tenant` of key `a` is debounced, and run {} came after it", runs[newer]);
        assert_eq!(reasons(&store, runs[older]).await, [reason]);
    }
    for newest in [runs[2], runs[3]] {
        assert_eq!(reasons(&store, newest).await, [""; 0]);
        let quiet_at = quiet_at(&store, newest).await;
        assert!(quiet_at > before + LONG / 2, "{quiet_at} is not {LONG:?} after {before}");
        let next = look(&process, 0).await.next_due.expect("somebody looks again");
        assert!(next > before + LONG / 2 && next <= quiet_at, "{next} is not before {quiet_at}");
    }

    let shorter = shape(9, Policy::Queue, Debounce { quiet: MOMENT, max_wait: Some(MOMENT * 2) });
    store.register(std::slice::from_ref(&shorter)).await.expect("registered");
    assert_eq!(
        store.limits(None, 9).await.expect("limits")[0].limit,
        shorter.limit.clone().expect("a limit")
    );
    let known = store.registered(&served().workflow).await.expect("an answer").expect("it is known");
    assert_eq!(known.limit, shorter.limit);
    for newest in [runs[2], runs[3]] {
        until("it came longer ago", async || at_gate(&store, newest).await.quiet_at.is_none()).await;
    }
    let let_in = sorted(let_in(&process).await);
    assert_eq!(let_in, [runs[2], runs[3]], "a shorter time counts from then on");
    for newest in let_in {
        assert_eq!(reasons(&store, newest).await, [""; 0]);
    }
}

pub(super) async fn a_burst_lasts_no_longer_than_it_may(store: Arc<dyn Store>) {
    let process = debounced(&store, Debounce { quiet: LONG, max_wait: Some(LONG) }).await;
    let first = process.queued(of("a")).await;
    look(&process, 0).await;
    let ends = quiet_at(&store, first).await;
    for _ in 0..3 {
        let newest = process.queued(of("a")).await;
        let next = look(&process, 0).await.next_due;
        assert_eq!((quiet_at(&store, newest).await, next), (ends, Some(ends)));
    }
    let longer = Debounce { quiet: LONG, max_wait: Some(LONG * 2) };
    register(&store, 9, Policy::Queue, longer).await;
    let newest = process.queued(of("a")).await;
    look(&process, 0).await;
    let later = quiet_at(&store, newest).await;
    assert!(later > ends && later < ends + LONG, "{later} is as long as the newest must be quiet");

    // Its first run came more than so long ago.
    register(&store, 9, Policy::Queue, Debounce { quiet: MOMENT, max_wait: Some(MOMENT) }).await;
    assert_eq!(let_in(&process).await, [newest]);
    register(&store, 9, Policy::Queue, Debounce { quiet: LONG, max_wait: Some(LONG) }).await;
    let before = store.now().await.expect("the time");
    let next = process.queued(of("a")).await;
    look(&process, 0).await;
    assert!(quiet_at(&store, next).await > before + LONG / 2, "the next burst is one of its own");
    assert_eq!(reasons(&store, newest).await, [""; 0], "what was let in goes on");
}

pub(super) async fn until_its_key_is_quiet_nobody_is_cancelled_for_a_slot(store: Arc<dyn Store>) {
    let process = debounced(&store, for_as_long_as(MOMENT)).await;
    let first = process.queued(of("a")).await;
    assert_eq!(let_in(&process).await, [first]);
    register(&store, 1, Policy::CancelOldest, for_as_long_as(LONG)).await;
    let second = process.queued(of("a")).await;
    look(&process, 0).await;
    assert_eq!(reasons(&store, first).await, [""; 0]);
    register(&store, 1, Policy::CancelNewest, for_as_long_as(LONG)).await;
    look(&process, 0).await;
    assert_eq!(reasons(&store, second).await, [""; 0]);

    register(&store, 1, Policy::CancelOldest, for_as_long_as(MOMENT)).await;
    until("somebody is to end", async || {
        look(&process, 0).await;
        !reasons(&store, first).await.is_empty()
    })
    .await;
    let reason = "limit `tenant` of key `a` has 1 slots, and a newer run needs one";
    assert_eq!(reasons(&store, first).await, [reason]);
    process.write(append(first, 1).note("ended").row(Status::Cancelled)).await;
    assert_eq!(let_in(&process).await, [second]);
}

pub(super) async fn a_run_comes_when_it_is_to_start_and_not_before_it_is_created(store: Arc<dyn Store>) {
    let process = debounced(&store, for_as_long_as(LONG)).await;
    let before = store.now().await.expect("the time");
    let past = process.queued(due("a", long_ago())).await;
    let ahead = process.queued(due("a", far_ahead())).await;
    look(&process, 0).await;
    assert_eq!(reasons(&store, past).await, [""; 0], "the other has not come yet");
    assert!(quiet_at(&store, past).await > before + LONG / 2);
    assert_eq!(quiet_at(&store, ahead).await, far_ahead() + LONG);
}

pub(super) async fn who_is_away_from_its_gate_is_cancelled_for_a_newer_run_too(store: Arc<dyn Store>) {
    let process = debounced(&store, for_as_long_as(LONG)).await;
    let first = process.queued(of("a")).await;
    process.signal(first, "hello").await;
    let claimed = look(&process, 100).await;
    assert_eq!((claimed.runs, claimed.held_back), (vec![first], vec![first]));
    let second = process.queued(of("a")).await;
    look(&process, 0).await;
    let inbox = store.inbox(&[first]).await.expect("an inbox").remove(0);
    assert_eq!(inbox.messages.len(), 2, "its cancellation came after the signal");
    assert_eq!(reasons(&store, second).await, [""; 0]);
}
