//! Runs that a client creates.

use std::sync::Arc;

use runlog::model::Status;
use runlog::store::{Append, Created, Store};

use crate::store::process::*;

fn keyed(process: &Process, text: &str) -> Append {
    process.birth(Status::Queued).born(|born| born.key = key(text))
}

pub(super) async fn a_created_run_is_queued_and_owned_by_nobody(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process
        .queued(|born| {
            born.priority = -3;
            born.wake_at = Some(far_ahead());
            born.deadline_at = Some(far_ahead());
        })
        .await;

    let row = process.row(run).await;
    assert_eq!((row.status, row.owner, row.priority), (Status::Queued, None, -3));
    assert_eq!((row.wake_at, row.deadline_at), (Some(far_ahead()), Some(far_ahead())));
    assert_eq!((row.started_at, row.finished_at, row.claimed_at, row.claims), (None, None, None, 0));
    let log = store.log(run, 0, 9).await.expect("log");
    assert_eq!((log.len(), log[0].seq, log[0].node), (1, 1, None));
    assert!(log[0].at >= process.joined.now);
}

pub(super) async fn a_thousand_runs_are_created_in_the_order_given(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let runs: Vec<Append> = (0..1_000).map(|n| keyed(&process, &format!("order-{n}"))).collect();
    let created = store.create(&runs).await.expect("create");
    let expected: Vec<_> = runs.iter().map(|append| Created { run: append.run, created: true }).collect();
    assert_eq!(created, expected);
}

pub(super) async fn the_run_that_has_the_key_is_answered(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let first = process.queued(|born| born.key = key("k")).await;
    let (new, twin) = (keyed(&process, "new"), keyed(&process, "k"));
    let runs = [new, twin];

    let created = store.create(&runs).await.expect("create");

    let expected = [Created { run: runs[0].run, created: true }, Created { run: first, created: false }];
    assert_eq!(created, expected);
    assert_eq!(store.row(runs[1].run).await.expect("row"), None);
}

pub(super) async fn one_key_twice_in_a_call_is_one_run(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let runs = [keyed(&process, "k"), keyed(&process, "other"), keyed(&process, "k")];
    let created = store.create(&runs).await.expect("create");
    let answers: Vec<_> = created.iter().map(|created| (created.run, created.created)).collect();
    assert_eq!(answers, [(runs[0].run, true), (runs[1].run, true), (runs[0].run, false)]);
    assert_eq!(store.row(runs[2].run).await.expect("row"), None);
}

pub(super) async fn a_create_that_comes_again_is_answered_as_the_first_time(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let runs = [keyed(&process, "k"), process.birth(Status::Queued)];
    let first = store.create(&runs).await.expect("create");
    let again = store.create(&runs).await.expect("create again");
    assert_eq!(again, first);
    for run in first {
        assert_eq!(process.notes(run.run).await, ["run_created"]);
    }
}

pub(super) async fn runs_are_created_all_or_none(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let runs = [keyed(&process, "k"), process.birth(Status::Succeeded), process.birth(Status::Queued)];
    let answer = store.create(&runs).await;
    assert!(answer.is_err(), "{answer:?}");
    for run in &runs {
        assert_eq!(store.row(run.run).await.expect("row"), None);
        assert_eq!(store.log(run.run, 0, 9).await.expect("log"), []);
    }
}

pub(super) async fn two_clients_with_one_key_make_one_run(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let (store, twin) = (Arc::clone(&store), keyed(&process, "k"));
            tokio::spawn(async move { store.create(&[twin]).await.expect("create")[0] })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.expect("no panic"));
    }
    assert_eq!(answers.iter().filter(|answer| answer.created).count(), 1);
    assert!(answers.iter().all(|answer| answer.run == answers[0].run), "{answers:?}");
}
