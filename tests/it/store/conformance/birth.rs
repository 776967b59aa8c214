//! Runs that are born in a commit.

use std::sync::Arc;

use runlog::model::{Namespace, Status, WorkflowName};
use runlog::store::Store;

use crate::store::process::*;

pub(super) async fn a_run_born_running_belongs_to_its_creator(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let birth = process.birth(Status::Running).born(|born| {
        born.key = key("k");
        born.priority = 7;
        born.deadline_at = Some(far_ahead());
    });
    let run = birth.run;
    let at = process.write(birth.note("started")).await.at;

    let row = process.row(run).await;
    assert_eq!((row.run, row.status, row.owner), (run, Status::Running, Some(process.node)));
    assert_eq!((row.key, row.priority, row.parent), (key("k"), 7, None));
    assert_eq!((row.workflow, row.version), (served().workflow, served().version));
    assert_eq!(row.namespace, Namespace::default());
    assert_eq!((row.wake_at, row.deadline_at), (None, Some(far_ahead())));
    assert_eq!((row.started_at, row.finished_at, row.mail_seen), (Some(at), None, 0));
    assert_eq!(process.notes(run).await, ["run_created", "started"]);
}

pub(super) async fn a_run_born_queued_belongs_to_nobody(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let parent = process.started().await;
    let child = process.birth(Status::Queued).born(|born| {
        born.parent = Some(parent);
        born.wake_at = Some(far_ahead());
    });
    let run = child.run;
    process.append(&[commit([append(parent, 1).note("child"), child])]).await.expect("append");

    let row = process.row(run).await;
    assert_eq!((row.status, row.owner, row.parent), (Status::Queued, None, Some(parent)));
    assert_eq!((row.wake_at, row.started_at, row.claimed_at), (Some(far_ahead()), None, None));
    assert_eq!(row.claims, 0);
}

pub(super) async fn a_taken_key_leaves_out_its_own_commit_only(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let first = process.queued(|born| born.key = key("k")).await;
    let innocent = process.started().await;
    let twin = process.birth(Status::Running).born(|born| born.key = key("k"));
    let left_out = twin.run;

    let batch = [commit([twin]), commit([append(innocent, 1).note("written")])];
    let answer = process.append(&batch).await.expect("append");

    assert_eq!(answer.existing, [left_out]);
    assert_eq!(store.row(left_out).await.expect("row"), None);
    assert_eq!(store.log(left_out, 0, 9).await.expect("log"), []);
    assert_eq!(process.notes(innocent).await, ["run_created", "written"]);
    assert_eq!(process.notes(first).await, ["run_created"]);
}

pub(super) async fn the_first_of_two_commits_with_one_key_wins(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let twin = || process.birth(Status::Running).born(|born| born.key = key("k"));
    let (first, second) = (twin(), twin());
    let runs = (first.run, second.run);

    let answer = process.append(&[commit([first]), commit([second])]).await.expect("append");

    assert_eq!(answer.existing, [runs.1]);
    assert_eq!(process.row(runs.0).await.owner, Some(process.node));
    assert_eq!(store.row(runs.1).await.expect("row"), None);
}

pub(super) async fn a_commit_with_a_child_of_a_taken_key_is_left_out_whole(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    process.queued(|born| born.key = key("k")).await;
    let (parent, other) = (process.started().await, process.started().await);
    let child = process.birth(Status::Queued).born(|born| {
        born.key = key("k");
        born.parent = Some(parent);
    });
    let left_out = child.run;

    let with_child = append(parent, 1).note("child").mail(other, signal("hello", "1")).row(Status::Failed);
    let answer = process.append(&[commit([with_child, child])]).await.expect("append");

    assert_eq!(answer.existing, [left_out]);
    assert_eq!(process.notes(parent).await, ["run_created"]);
    assert_eq!(process.row(parent).await.status, Status::Running);
    assert_eq!(process.row(other).await.mail_seen, 0);
    assert_eq!(store.children(parent, 9).await.expect("children"), []);
}

pub(super) async fn a_key_is_taken_per_namespace_and_workflow(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let plain = process.birth(Status::Running).born(|born| born.key = key("k"));
    let elsewhere = process.birth(Status::Running).born(|born| {
        born.key = key("k");
        born.namespace = Namespace::new("tenant").expect("a name");
    });
    let otherwise = process.birth(Status::Running).born(|born| {
        born.key = key("k");
        born.workflow = WorkflowName::new("refund").expect("a name");
    });
    let batch = [commit([plain]), commit([elsewhere]), commit([otherwise])];
    assert_eq!(process.append(&batch).await.expect("append").existing, []);
}

pub(super) async fn a_key_stays_taken_after_the_end(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let birth = process.birth(Status::Running).born(|born| born.key = key("k"));
    let run = birth.run;
    process.write(birth).await;
    process.end(run, Status::Succeeded).await;

    let twin = process.birth(Status::Running).born(|born| born.key = key("k"));
    let left_out = twin.run;
    assert_eq!(process.write(twin).await.existing, [left_out]);
}
