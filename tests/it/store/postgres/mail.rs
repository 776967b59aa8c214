//! Inboxes.

use runlog::model::{Mail, MessageBody};
use runlog::store::{Sent, Store};

use super::*;

pub(crate) fn cancel() -> MessageBody {
    MessageBody::Cancel { reason: None, by: None, grace_ms: 0 }
}

#[tokio::test]
async fn mail_wakes_a_parked_run_and_keeps_one_that_parks_in_the_same_batch() {
    let stage = Stage::new().await;
    let (sender, parked, parks) = (stage.running().await, stage.running().await, stage.running().await);
    stage.append(&[commit(parking(parked, 1, 0))]).await.unwrap();
    let mail = [parked, parks].map(|to| Mail { to, body: cancel() }).to_vec();
    let batch = [commit(Append { mail, ..next(sender, 1) }), commit(parking(parks, 1, 0))];
    let answer = stage.append(&batch).await.unwrap();
    assert_eq!(answer.kept, vec![parks]);
    let row = stage.store.row(parked).await.unwrap().unwrap();
    assert_eq!((row.wake_at, row.mail_seen), (Some(answer.at), 1));
    let inboxes = stage.store.inbox(&[parked, parks]).await.unwrap();
    assert_eq!(
        inboxes.iter().map(|inbox| (inbox.run, inbox.mail_seen)).collect::<Vec<_>>(),
        [(parked, 1), (parks, 1)]
    );
}

#[tokio::test]
async fn a_message_that_is_committed_while_a_release_waits_for_it_keeps_the_run() {
    let stage = Stage::new().await;
    let run = stage.running().await;
    let mut sender = stage.pool.begin().await.unwrap();
    let send = sqlx::query("update runlog.runs set mail = mail + 1 where id = $1").bind(run.uuid());
    send.execute(&mut *sender).await.unwrap();

    let batch = [commit(parking(run, 1, 0))];
    let (answer, ()) = tokio::join!(stage.append(&batch), async {
        stage.until_blocked("Group commit").await;
        sender.commit().await.unwrap();
    });
    assert_eq!(answer.unwrap().kept, vec![run]);
    assert_eq!(stage.store.row(run).await.unwrap().unwrap().owner, Some(stage.node));
}

#[tokio::test]
async fn mail_reaches_a_run_that_is_created_in_the_same_commit() {
    let stage = Stage::new().await;
    let (parent, child) = (stage.running().await, stage.clock.new_run_id());
    let mail = vec![Mail { to: child, body: cancel() }];
    let appends = vec![Append { mail, ..next(parent, 1) }, born(child, None, Status::Queued)];
    stage.append(&[Commit { appends }]).await.unwrap();
    let inboxes = stage.store.inbox(&[child]).await.unwrap();
    assert_eq!((inboxes[0].mail_seen, inboxes[0].messages.len()), (1, 1));
}

#[tokio::test]
async fn mail_to_a_run_that_has_ended_is_dropped() {
    let stage = Stage::new().await;
    let (sender, ended) = (stage.running().await, stage.running().await);
    let Sent::Accepted { message, owner } = stage.store.send(ended, &cancel()).await.unwrap() else {
        panic!()
    };
    assert_eq!(owner, Some(stage.node));
    assert!(stage.store.is_waiting(ended, message).await.unwrap());
    let row = RowChange { status: Status::Failed, deadline_at: None, release: None, failure: None };
    let mail = vec![Mail { to: ended, body: cancel() }];
    let batch =
        [commit(Append { mail, ..next(sender, 1) }), commit(Append { row: Some(row), ..next(ended, 1) })];
    stage.append(&batch).await.unwrap();
    stage
        .append(&[commit(Append { mail: vec![Mail { to: ended, body: cancel() }], ..next(sender, 2) })])
        .await
        .unwrap();
    assert!(!stage.store.is_waiting(ended, message).await.unwrap());
    assert_eq!(stage.count("select count(*) from runlog.inbox").await, 0);
    assert_eq!(stage.store.send(ended, &cancel()).await.unwrap(), Sent::Finished { status: Status::Failed });
    assert_eq!(stage.store.send(stage.clock.new_run_id(), &cancel()).await.unwrap(), Sent::NotFound);
}

/// The statement that ends the run began before the message was there, and waits for the row that its sender holds.
#[tokio::test]
async fn a_message_that_is_committed_while_the_end_of_its_run_waits_for_it_is_dropped() {
    let stage = Stage::new().await;
    let ending = |run| {
        let row = RowChange { status: Status::Failed, deadline_at: None, release: None, failure: None };
        Append { row: Some(row), ..next(run, 1) }
    };
    // A batch of nothing but runs, and one that has mail, too.
    for with_mail in [false, true] {
        let (run, other) = (stage.running().await, stage.running().await);
        let mut batch = vec![commit(ending(run))];
        if with_mail {
            batch.push(commit(Append { mail: vec![Mail { to: other, body: cancel() }], ..ending(other) }));
        }
        let mut sender = stage.pool.begin().await.unwrap();
        let send = "with target as (update runlog.runs set mail = mail + 1 where id = $1 returning id)
            insert into runlog.inbox (run_id, body, sent_at) select id, '{}', clock_timestamp() from target";
        sqlx::query(send).bind(run.uuid()).execute(&mut *sender).await.unwrap();

        let (answer, ()) = tokio::join!(stage.append(&batch), async {
            stage.until_blocked("Group commit").await;
            sender.commit().await.unwrap();
        });

        answer.unwrap();
        assert_eq!(stage.store.row(run).await.unwrap().unwrap().status, Status::Failed);
        assert_eq!(stage.count("select count(*) from runlog.inbox").await, 0, "with mail: {with_mail}");
    }
}

#[tokio::test]
async fn a_message_is_taken_in_the_commit_of_its_event() {
    let stage = Stage::new().await;
    let run = stage.running().await;
    let Sent::Accepted { message, .. } = stage.store.send(run, &cancel()).await.unwrap() else { panic!() };
    stage.append(&[commit(Append { taken: vec![message], ..next(run, 1) })]).await.unwrap();
    assert!(!stage.store.is_waiting(run, message).await.unwrap());
}

#[tokio::test]
async fn two_lanes_that_send_to_each_other_never_fail() {
    let stage = Stage::new().await;
    let mut runs = Vec::new();
    for _ in 0..32 {
        runs.push(stage.running().await);
    }
    let lane = async |lane: u16, mine: &[RunId], theirs: &[RunId]| {
        for seq in 1..20 {
            let mail = theirs.iter().rev().map(|to| Mail { to: *to, body: cancel() }).collect();
            let mut batch: Vec<Commit> = mine.iter().map(|run| commit(parking(*run, seq, -1))).collect();
            batch[0].appends[0].mail = mail;
            stage.store.append(stage.node, lane, &batch).await.unwrap();
        }
    };
    let (one, two) = runs.split_at(16);
    tokio::join!(lane(0, one, two), lane(1, two, one));
    assert_eq!(stage.count("select count(*) from runlog.inbox").await, 2 * 19 * 16);
}
