//! Parking a run.

use std::sync::Arc;

use runlog::model::Status;
use runlog::store::{Store, Wanted};

use crate::store::process::*;

pub(super) async fn a_parked_run_is_owned_by_nobody_and_due_when_it_says(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    for wake_at in [None, Some(far_ahead())] {
        let run = process.started().await;
        process.park(run, wake_at).await;
        let row = process.row(run).await;
        assert_eq!((row.status, row.owner, row.wake_at), (Status::Running, None, wake_at));
    }
    let past = process.started().await;
    process.park(past, Some(long_ago())).await;
    assert_eq!(process.claim_served(10).await, [past]);
}

pub(super) async fn a_release_is_left_out_alone_when_an_unseen_message_came(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (run, other) = (process.started().await, process.started().await);
    process.signal(run, "hello").await;

    let release = append(run, 1).note("written").released(Some(far_ahead()), 0).deadline(far_ahead());
    let batch = [commit([release]), commit([append(other, 1).note("parked").released(None, 0)])];
    let answer = process.append(&batch).await.expect("append");

    assert_eq!(answer.kept, [run]);
    let row = process.row(run).await;
    assert_eq!((row.owner, row.wake_at), (Some(process.node), None));
    assert_eq!(row.deadline_at, Some(far_ahead()), "the rest of the change is made");
    assert_eq!(process.notes(run).await, ["run_created", "written"]);
    assert_eq!(process.row(other).await.owner, None);
}

pub(super) async fn a_release_goes_through_when_every_message_was_seen(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.started().await;
    let (first, second) = (process.signal(run, "one").await, process.signal(run, "two").await);
    let seen = store.inbox(&[run]).await.expect("inbox")[0].mail_seen;
    assert_eq!(seen, 2);

    let park = append(run, 1).note("seen").released(None, seen).taken(first).taken(second);
    assert_eq!(process.write(park).await.kept, []);

    assert_eq!(process.row(run).await.owner, None);
    assert_eq!(store.inbox(&[run]).await.expect("inbox"), []);
}

pub(super) async fn a_message_in_the_same_batch_is_not_slept_through(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (parking, sending) = (process.started().await, process.started().await);
    let batch = [
        commit([append(parking, 1).note("parked").released(None, 0)]),
        commit([append(sending, 1).note("sent").mail(parking, signal("hello", "1"))]),
    ];
    process.append(&batch).await.expect("append");

    let claimed = process.claim(Wanted { limit: 9, ..Wanted::default() }).await;
    let told: Vec<_> = claimed.runs.into_iter().chain(claimed.mailed).collect();
    assert_eq!(told, [parking], "it is claimed again, or its owner is told");
}

pub(super) async fn an_old_release_of_a_run_that_was_claimed_again_changes_nothing(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.started().await;
    let batch = [commit([append(run, 1).released(Some(long_ago()), 0)])];
    store.append(process.node, 0, &batch).await.expect("a release");
    assert_eq!(process.claim_served(1).await, [run]);
    let again = store.append(process.node, 0, &batch).await.expect("its first answer was lost");
    assert_eq!(again.kept, [], "the owner that asked is not the owner any more");
    assert_eq!(process.row(run).await.owner, Some(process.node), "the run stays with its new actor");
}
