//! The status table, and what moves with a status.

use std::sync::Arc;

use runlog::model::{RunId, Status};
use runlog::store::{Store, StoreError, Wanted};

use crate::store::process::*;

/// Makes a run of `status` that the process owns.
async fn owned(process: &Process, status: Status) -> RunId {
    if status == Status::Running {
        return process.started().await;
    }
    let run = process.queued(|born| born.wake_at = Some(far_ahead())).await;
    assert_eq!(process.claim_named(&[run]).await, [run]);
    run
}

pub(super) async fn every_legal_move_is_made(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let mut moves = 0;
    for from in [Status::Queued, Status::Running] {
        for to in Status::ALL.into_iter().filter(|to| from.may_become(*to)) {
            let run = owned(&process, from).await;
            process.write(append(run, 1).note("moved").row(to)).await;
            assert_eq!(process.row(run).await.status, to);
            moves += 1;
        }
    }
    assert_eq!(moves, 8);
}

pub(super) async fn an_illegal_move_is_refused_and_writes_nothing(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    for (from, to) in [(Status::Running, Status::Queued), (Status::Queued, Status::Succeeded)] {
        let (run, other) = (owned(&process, from).await, process.started().await);
        let batch =
            [commit([append(other, 1).note("innocent")]), commit([append(run, 1).note("moved").row(to)])];

        let answer = process.append(&batch).await;

        let Err(StoreError::Refused { message }) = answer else { panic!("{from} to {to}: {answer:?}") };
        assert!(message.contains(from.as_str()) && message.contains(to.as_str()), "{message}");
        assert_eq!(process.row(run).await.status, from);
        assert_eq!(process.notes(run).await, ["run_created"]);
        assert_eq!(process.notes(other).await, ["run_created"]);
    }
}

pub(super) async fn nothing_leaves_an_end(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    for end in Status::ALL.into_iter().filter(|status| status.is_terminal()) {
        let run = process.started().await;
        let ended = process.end(run, end).await.at;
        for to in Status::ALL.into_iter().filter(|to| *to != end) {
            // Whether it is refused or passed over is the store's affair: an ended run has no owner who may ask.
            let _ = process.append(&[commit([append(run, 2).row(to)])]).await;
            let row = process.row(run).await;
            assert_eq!((row.status, row.finished_at, row.owner), (end, Some(ended), None), "to {to}");
        }
    }
}

pub(super) async fn an_ended_run_is_owned_by_nobody_and_never_due(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.started().await;
    process.write(append(run, 1).note("timed").row(Status::Running).deadline(far_ahead())).await;
    let end = append(run, 2).note("ended").row(Status::Failed).deadline(far_ahead());
    process.write(end).await;

    let row = process.row(run).await;
    assert_eq!((row.owner, row.wake_at, row.deadline_at), (None, None, None));
    let wanted = Wanted { served: vec![served()], runs: vec![run], limit: 9, ..Wanted::default() };
    let claimed = process.claim(wanted).await;
    assert_eq!((claimed.runs, claimed.next_due), (vec![], None));
}

pub(super) async fn started_at_and_finished_at_are_the_times_of_their_commits(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = owned(&process, Status::Queued).await;
    assert_eq!((process.row(run).await.started_at, process.row(run).await.finished_at), (None, None));

    let started = process.write(append(run, 1).note("started").row(Status::Running)).await.at;
    let on = process.write(append(run, 2).note("on").row(Status::Running)).await.at;
    let row = process.row(run).await;
    assert_eq!((row.started_at, row.finished_at), (Some(started), None));
    assert!(on >= started);

    let ended = process.write(append(run, 3).note("ended").row(Status::Succeeded)).await.at;
    let row = process.row(run).await;
    assert_eq!((row.started_at, row.finished_at), (Some(started), Some(ended)));

    let never_started = owned(&process, Status::Queued).await;
    let ended = process.end(never_started, Status::TimedOut).await.at;
    let row = process.row(never_started).await;
    assert_eq!((row.started_at, row.finished_at), (None, Some(ended)));
}

pub(super) async fn a_deadline_is_what_the_last_change_says(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.queued(|born| born.deadline_at = Some(far_ahead())).await;
    assert_eq!(process.row(run).await.deadline_at, Some(far_ahead()));
    process.claim_named(&[run]).await;

    let later = far_ahead() + LONG;
    process.write(append(run, 1).note("started").row(Status::Running).deadline(later)).await;
    assert_eq!(process.row(run).await.deadline_at, Some(later));

    process.write(append(run, 2).note("an event alone changes no row")).await;
    assert_eq!(process.row(run).await.deadline_at, Some(later));

    process.write(append(run, 3).note("no deadline").row(Status::Running)).await;
    assert_eq!(process.row(run).await.deadline_at, None);
}
