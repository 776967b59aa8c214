//! The group commit: seqs, all or none, and batches that come again.

use std::sync::Arc;

use runlog::model::event::SignalReceived;
use runlog::model::{Event, Payload, RunEvent, SignalName, Status};
use runlog::store::{Commit, Store, StoreError};

use crate::store::process::*;

pub(super) async fn events_get_the_seqs_after_expected_the_node_and_one_time(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (one, other) = (process.started().await, process.started().await);

    let batch = [commit([append(one, 1).note("a").note("b")]), commit([append(other, 1).note("c")])];
    let at = process.append(&batch).await.expect("append").at;

    assert!(at >= process.joined.now);
    let (one, other) = (store.log(one, 1, 9).await.expect("log"), store.log(other, 1, 9).await.expect("log"));
    assert_eq!(one.iter().map(|event| event.seq).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(other.iter().map(|event| event.seq).collect::<Vec<_>>(), [2]);
    for event in one.iter().chain(&other) {
        assert_eq!((event.at, event.node), (at, Some(process.node)));
    }
}

pub(super) async fn payloads_come_back_byte_for_byte(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.started().await;
    let text = r#"{ "b":123456789012345678901234567890,"a" : 1.10e400, "a":"\u00e9ü\ud83d\ude00", "":[ ] }"#;
    let payload = Payload::parse(text).expect("JSON");
    let name = SignalName::new("s").expect("a name");
    let event = RunEvent::from(SignalReceived { name, key: None, payload, sent_at: long_ago() });
    process.write(append(run, 1).event(event.clone())).await;

    let log = store.log(run, 1, 1).await.expect("log");
    let loaded = store.load(&[run]).await.expect("load").remove(0).log.expect("a log");

    for read in [log.first(), loaded.last()] {
        let Some(Event::Run(RunEvent::SignalReceived(read))) = read.map(|read| &read.event) else {
            panic!("{read:?}")
        };
        assert_eq!(read.payload.text(), text);
    }
}

pub(super) async fn a_batch_is_written_whole_or_not_at_all(store: Arc<dyn Store>) {
    let (mine, theirs) = (Process::join(&store).await, Process::join(&store).await);
    let (good, bad) = (mine.started().await, theirs.started().await);
    theirs.write(append(bad, 1).note("theirs")).await;
    let birth = mine.birth(Status::Running);
    let new = birth.run;

    let batch =
        [commit([birth]), commit([append(good, 1).note("good")]), commit([append(bad, 1).note("bad")])];
    let answer = mine.append(&batch).await;

    assert!(matches!(answer, Err(StoreError::Conflict { run, seq: 2 }) if run == bad), "{answer:?}");
    assert_eq!(mine.notes(good).await, ["run_created"]);
    assert_eq!(mine.notes(bad).await, ["run_created", "theirs"]);
    assert_eq!(store.row(new).await.expect("row"), None);
}

pub(super) async fn an_event_of_another_node_is_a_conflict(store: Arc<dyn Store>) {
    let (first, next) = (Process::join(&store).await, Process::join(&store).await);
    let run = first.started().await;
    first.park(run, None).await;
    assert_eq!(next.claim_named(&[run]).await, [run]);
    next.write(append(run, 2).note("next")).await;

    let late = first.append(&[commit([append(run, 2).note("next")])]).await;

    assert!(matches!(late, Err(StoreError::Conflict { run: at, seq: 3 }) if at == run), "{late:?}");
    assert_eq!(first.notes(run).await, ["run_created", "parked", "next"]);
}

pub(super) async fn another_event_of_the_same_node_is_a_conflict(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.started().await;
    process.write(append(run, 1).note("first")).await;

    let late = process.append(&[commit([append(run, 1).note("second")])]).await;

    assert!(matches!(late, Err(StoreError::Conflict { run: at, seq: 2 }) if at == run), "{late:?}");
    assert_eq!(process.notes(run).await, ["run_created", "first"]);
}

pub(super) async fn a_batch_that_comes_again_is_answered_as_the_first_time(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.started().await;
    let birth = process.birth(Status::Running);
    let new = birth.run;
    let batch = [commit([append(run, 1).note("once").row(Status::Succeeded)]), commit([birth])];
    let first = process.append(&batch).await.expect("append");
    process.started().await;

    let again = process.append(&batch).await.expect("append again");

    assert_eq!(again, first);
    assert_eq!(process.notes(run).await, ["run_created", "once"]);
    assert_eq!(process.notes(new).await, ["run_created"]);
    assert_eq!(process.row(run).await.finished_at, Some(first.at));
}

pub(super) async fn a_batch_that_comes_again_sends_its_mail_once(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (from, to) = (process.started().await, process.started().await);
    let batch = [commit([append(from, 1).note("sent").mail(to, signal("hello", "1"))])];
    process.append(&batch).await.expect("append");
    process.append(&batch).await.expect("append again");

    assert_eq!(process.row(to).await.mail_seen, 1);
    assert_eq!(store.inbox(&[to]).await.expect("inbox")[0].messages.len(), 1);
}

pub(super) async fn a_batch_that_comes_again_names_kept_and_existing_runs_again(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.started().await;
    process.signal(run, "hello").await;
    process.queued(|born| born.key = key("k")).await;
    let twin = process.birth(Status::Running).born(|born| born.key = key("k"));
    let left_out = twin.run;

    let batch = [commit([append(run, 1).note("stays").released(None, 0)]), commit([twin])];
    let first = process.append(&batch).await.expect("append");
    let again = process.append(&batch).await.expect("append again");

    assert_eq!((&first.kept, &first.existing), (&vec![run], &vec![left_out]));
    assert_eq!(again, first);
}

pub(super) async fn a_release_without_events_may_come_again(store: Arc<dyn Store>) {
    let (first, next) = (Process::join(&store).await, Process::join(&store).await);
    let run = first.started().await;
    let batch = [commit([append(run, 1).released(None, 0)])];
    first.append(&batch).await.expect("append");
    assert_eq!(next.claim_named(&[run]).await, [run]);
    next.write(append(run, 1).note("next")).await;

    let again = first.append(&batch).await.expect("append again");

    assert_eq!((again.kept, again.existing), (vec![], vec![]));
    assert_eq!(first.row(run).await.owner, Some(next.node));
}

pub(super) async fn a_batch_that_comes_again_does_not_take_a_run_from_its_next_owner(store: Arc<dyn Store>) {
    let (first, next) = (Process::join(&store).await, Process::join(&store).await);
    let run = first.started().await;
    let batch = [commit([append(run, 1).note("parked").released(Some(far_ahead()), 0)])];
    let answer = first.append(&batch).await.expect("append");
    assert_eq!(next.claim_named(&[run]).await, [run]);
    next.write(append(run, 2).note("next")).await;

    let again = first.append(&batch).await.expect("append again");

    assert_eq!(again, answer);
    let row = first.row(run).await;
    assert_eq!((row.owner, row.wake_at), (Some(next.node), None));
    assert_eq!(first.notes(run).await, ["run_created", "parked", "next"]);
}

pub(super) async fn many_runs_share_one_batch(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let births: Vec<_> = (0..500).map(|_| process.birth(Status::Running)).collect();
    let runs: Vec<_> = births.iter().map(|birth| birth.run).collect();
    let batch: Vec<Commit> = births.into_iter().map(|birth| commit([birth])).collect();
    let at = process.append(&batch).await.expect("append").at;

    let loaded = store.load(&runs).await.expect("load");
    assert_eq!(loaded.len(), 500);
    for run in loaded {
        assert_eq!(run.log.expect("a log")[0].at, at);
        assert_eq!(run.row.owner, Some(process.node));
    }
}
