//! Messages from outside and between runs.

use std::sync::Arc;

use runlog::model::{MessageBody, MessageId, Status};
use runlog::store::{Sent, Store};

use crate::store::process::*;

pub(super) async fn an_accepted_message_tells_the_owner(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (owned, queued) = (process.started().await, process.queued(|_| {}).await);
    for (run, expected) in [(owned, Some(process.node)), (queued, None)] {
        let sent = store.send(run, &signal("hello", "1")).await.expect("send");
        assert!(matches!(sent, Sent::Accepted { owner, .. } if owner == expected), "{sent:?}");
    }
}

pub(super) async fn a_message_to_an_ended_run_says_how_it_ended(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    for status in Status::ALL.into_iter().filter(|status| status.is_terminal()) {
        let run = process.started().await;
        process.end(run, status).await;
        assert_eq!(store.send(run, &signal("late", "1")).await.expect("send"), Sent::Finished { status });
        assert_eq!(store.inbox(&[run]).await.expect("inbox"), []);
        assert_eq!(process.row(run).await.mail_seen, 0);
    }
}

pub(super) async fn a_message_to_an_unknown_run_is_not_found(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.clock.new_run_id();
    assert_eq!(store.send(run, &signal("lost", "1")).await.expect("send"), Sent::NotFound);
    assert!(!store.is_waiting(run, MessageId(1)).await.expect("is_waiting"));
}

pub(super) async fn an_inbox_is_read_oldest_first_and_counts_every_message(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (run, quiet) = (process.started().await, process.started().await);
    let mut ids = Vec::new();
    for name in ["c", "a", "b"] {
        ids.push(process.signal(run, name).await);
    }
    process.write(append(run, 1).note("took the first").taken(ids[0])).await;

    let inboxes = store.inbox(&[quiet, run, process.clock.new_run_id()]).await.expect("inbox");

    assert_eq!(inboxes.len(), 1, "a run without a message is left out");
    assert_eq!((inboxes[0].run, inboxes[0].mail_seen), (run, 3));
    let read: Vec<_> = inboxes[0].messages.iter().map(|message| (message.id, message.body.clone())).collect();
    assert_eq!(read, [(ids[1], signal("a", "null")), (ids[2], signal("b", "null"))]);
    assert!(inboxes[0].messages.iter().all(|message| message.sent_at >= process.joined.now));
}

pub(super) async fn a_message_comes_back_byte_for_byte(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.started().await;
    let text = r#"{ "b":123456789012345678901234567890, "a":1, "a" : "\u00e9\ud83d\ude00" }"#;
    let cancel =
        MessageBody::Cancel { reason: Some("why, \"so\"".into()), by: None, grace_ms: u64::from(u32::MAX) };
    for body in [signal("hello", text), cancel.clone()] {
        store.send(run, &body).await.expect("send");
    }
    let inbox = store.inbox(&[run]).await.expect("inbox").remove(0);
    let MessageBody::Signal { payload, .. } = &inbox.messages[0].body else { panic!("{inbox:?}") };
    assert_eq!(payload.text(), text);
    assert_eq!(inbox.messages[1].body, cancel);
    let loaded = store.load(&[run]).await.expect("load").remove(0);
    assert_eq!(loaded.inbox, inbox.messages);
}

pub(super) async fn a_message_makes_a_parked_run_due_at_once(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    for wake_at in [None, Some(far_ahead())] {
        let run = process.started().await;
        process.park(run, wake_at).await;
        process.signal(run, "wake up").await;
        assert!(process.row(run).await.wake_at.is_some_and(|at| at < far_ahead()));
        assert_eq!(process.claim_served(9).await, [run]);
    }
}

pub(super) async fn a_message_makes_a_delayed_run_due_at_once(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.queued(|born| born.wake_at = Some(far_ahead())).await;
    process.signal(run, "wake up").await;
    assert_eq!(process.claim_served(9).await, [run]);
}

pub(super) async fn a_message_leaves_an_owned_run_with_its_owner(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.started().await;
    process.signal(run, "hello").await;
    let row = process.row(run).await;
    assert_eq!((row.owner, row.wake_at, row.mail_seen), (Some(process.node), None, 1));
}

pub(super) async fn a_taken_message_waits_no_more(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (run, other) = (process.started().await, process.started().await);
    let (message, next) = (process.signal(run, "one").await, process.signal(run, "two").await);
    assert!(store.is_waiting(run, message).await.expect("is_waiting"));

    process.write(append(run, 1).note("took it").taken(message)).await;

    assert!(!store.is_waiting(run, message).await.expect("is_waiting"));
    assert!(store.is_waiting(run, next).await.expect("is_waiting"));
    assert!(!store.is_waiting(other, next).await.expect("is_waiting"));
}

pub(super) async fn a_message_to_a_run_that_ended_waits_no_more(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.started().await;
    let message = process.signal(run, "unread").await;
    process.end(run, Status::Succeeded).await;
    assert!(!store.is_waiting(run, message).await.expect("is_waiting"));
    assert_eq!(store.inbox(&[run]).await.expect("inbox"), [], "it is removed");
}

pub(super) async fn mail_from_a_run_waits_at_another(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (from, to) = (process.started().await, process.started().await);
    let at = process.write(append(from, 1).note("sent").mail(to, signal("hello", "[1]"))).await.at;

    let inbox = store.inbox(&[to]).await.expect("inbox").remove(0);
    assert_eq!((inbox.mail_seen, inbox.messages.len()), (1, 1));
    assert_eq!((&inbox.messages[0].body, inbox.messages[0].sent_at), (&signal("hello", "[1]"), at));
    assert_eq!(process.row(to).await.owner, Some(process.node));
}

pub(super) async fn mail_makes_a_parked_run_due_at_once(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (from, to) = (process.started().await, process.started().await);
    process.park(to, Some(far_ahead())).await;
    process.write(append(from, 1).note("sent").mail(to, signal("hello", "1"))).await;
    assert_eq!(process.claim_served(9).await, [to]);
}

pub(super) async fn mail_to_an_ended_or_unknown_run_is_dropped(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (from, ended) = (process.started().await, process.started().await);
    process.end(ended, Status::Failed).await;
    let unknown = process.clock.new_run_id();

    let send = append(from, 1).note("sent").mail(ended, signal("a", "1")).mail(unknown, signal("b", "1"));
    process.write(send).await;

    assert_eq!(process.notes(from).await, ["run_created", "sent"]);
    assert_eq!(process.row(ended).await.mail_seen, 0);
    assert_eq!(store.inbox(&[ended, unknown]).await.expect("inbox"), []);
}
