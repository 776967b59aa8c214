//! Limits of how many runs of a key start in how long.

use std::sync::Arc;
use std::time::Duration;

use runlog::model::limit::{Policy, Rate};
use runlog::model::{MessageBody, RunId, Status, Timestamp};
use runlog::store::Store;

use super::super::process::*;
use super::limits::{claim, look, of, shape_with, sorted};
use super::lists::archive_of;

async fn rated(store: &Arc<dyn Store>, slots: u32, policy: Policy, starts: u32, window: Duration) -> Process {
    let shape = shape_with(Some((slots, policy)), Some(Rate { starts, window }));
    store.register(&[shape]).await.expect("registered");
    Process::join(store).await
}

async fn until(store: &Arc<dyn Store>, run: RunId) -> Option<Timestamp> {
    store.at_gate(run).await.expect("an answer").expect("it stands at its gate").until
}

/// Reads the reasons for which a run is to be cancelled.
pub(super) async fn reasons(store: &Arc<dyn Store>, run: RunId) -> Vec<String> {
    let inboxes = store.inbox(&[run]).await.expect("inboxes");
    let messages = inboxes.into_iter().flat_map(|inbox| inbox.messages);
    let reason = |body| match body {
        MessageBody::Cancel { reason, .. } => reason.expect("a reason"),
        other => panic!("{other:?}"),
    };
    messages.map(|message| reason(message.body)).collect()
}

pub(super) async fn no_more_runs_of_a_key_are_let_in_than_its_rate_says(store: Arc<dyn Store>) {
    let process = rated(&store, 9, Policy::Queue, 2, LONG).await;
    let mut runs = Vec::new();
    for key in ["a", "a", "a", "b"] {
        runs.push(process.queued(of(key)).await);
    }
    let before = store.now().await.expect("the time");
    assert_eq!(claim(&process).await, sorted(vec![runs[0], runs[1], runs[3]]));
    // Who has ended counts, too.
    for run in [runs[0], runs[1], runs[3]] {
        process.write(append(run, 1).note("ended").row(Status::Cancelled)).await;
    }
    assert_eq!(claim(&process).await, []);
    let next = until(&store, runs[2]).await.expect("its rate is used up");
    assert!(next >= before + LONG, "{next} is less than {LONG:?} after {before}");
    assert_eq!(look(&process, 9).await.next_due, Some(next), "somebody looks again then");
    let b = process.queued(of("b")).await;
    assert_eq!(claim(&process).await, [b]);

    let rate = Rate { starts: 3, window: LONG };
    store.register(&[shape_with(Some((9, Policy::Queue)), Some(rate))]).await.expect("registered");
    assert_eq!(store.limits(None, 9).await.expect("limits")[0].limit.rate, Some(rate));
    let known = store.registered(&served().workflow).await.expect("an answer").expect("it is known");
    assert_eq!(known.limit.expect("a limit").rate, Some(rate));
    assert_eq!(claim(&process).await, [runs[2]], "a rate that grows lets more in");
}

pub(super) async fn a_start_that_falls_out_of_its_window_lets_the_next_in(store: Arc<dyn Store>) {
    let process = rated(&store, 1, Policy::Queue, 1, Duration::from_millis(50)).await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(process.queued(of("a")).await);
    }
    let mut order = Vec::new();
    let turns = async {
        while order.len() < runs.len() {
            for run in claim(&process).await {
                process.write(append(run, 1).note("ended").row(Status::Cancelled)).await;
                order.push(run);
            }
        }
    };
    tokio::time::timeout(LONG / 10, turns).await.expect("in time");
    assert_eq!(order, runs);
}

pub(super) async fn under_cancel_newest_a_run_beyond_the_rate_is_cancelled(store: Arc<dyn Store>) {
    let process = rated(&store, 9, Policy::CancelNewest, 1, LONG).await;
    let (first, second) = (process.queued(of("a")).await, process.queued(of("a")).await);
    look(&process, 0).await;
    look(&process, 0).await;
    assert_eq!(reasons(&store, first).await, [""; 0]);
    let reason = "limit `tenant` of key `a` lets 1 start in 600 s, as many as did";
    assert_eq!(reasons(&store, second).await, [reason]);
}

pub(super) async fn under_cancel_oldest_a_rate_has_nobody_cancelled(store: Arc<dyn Store>) {
    let process = rated(&store, 1, Policy::CancelOldest, 2, LONG).await;
    let first = process.queued(of("a")).await;
    assert_eq!(claim(&process).await, [first]);
    let (second, third) = (process.queued(of("a")).await, process.queued(of("a")).await);
    assert_eq!(claim(&process).await, []);
    let reason = "limit `tenant` of key `a` has 1 slots, and a newer run needs one";
    assert_eq!(reasons(&store, first).await, [reason]);
    process.write(append(first, 1).note("ended").row(Status::Cancelled)).await;
    assert_eq!(claim(&process).await, [second]);
    assert_eq!(claim(&process).await, []);
    assert_eq!(reasons(&store, second).await, [""; 0], "the third could not start in its place");
    assert!(until(&store, third).await.is_some());
}

pub(super) async fn a_run_that_counts_for_a_rate_is_not_archived(store: Arc<dyn Store>) {
    let process = rated(&store, 9, Policy::Queue, 1, LONG).await;
    let (first, second) = (process.queued(of("a")).await, process.queued(of("a")).await);
    assert_eq!(claim(&process).await, [first]);
    process.write(append(first, 1).note("ended").row(Status::Cancelled)).await;
    let workflow = served().workflow;
    if archive_of(&store, &[workflow.as_str()]).await {
        assert_eq!(process.row(first).await.archived_at, None);
    }
    assert_eq!(claim(&process).await, []);
    store.register(&[shape_with(Some((9, Policy::Queue)), None)]).await.expect("registered");
    assert_eq!(claim(&process).await, [second]);
    if archive_of(&store, &[workflow.as_str()]).await {
        assert!(process.row(first).await.archived_at.is_some(), "it counts no more");
    }
}
