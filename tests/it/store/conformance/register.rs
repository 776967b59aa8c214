//! The shapes of workflows.

use std::sync::Arc;
use std::time::Duration;

use runlog::model::{Status, Version};
use runlog::store::{Served, Shape, Store, StoreError};

use crate::store::process::*;

fn shape(text: &str) -> Shape {
    let Served { workflow, version, .. } = served();
    Shape {
        workflow,
        version,
        tasks: vec![],
        shape: text.to_owned(),
        timeout: None,
        start_timeout: None,
        limit: None,
    }
}

fn is_changed(answer: Result<(), StoreError>) {
    let expected = served().workflow;
    assert!(
        matches!(&answer, Err(StoreError::ShapeChanged { workflow, .. }) if *workflow == expected),
        "{answer:?}"
    );
}

pub(super) async fn a_shape_is_registered_again_and_again(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    store.register(&[shape("a→b")]).await.expect("register");
    process.started().await;
    store.register(&[shape("a→b")]).await.expect("register again");
    store.register(&[]).await.expect("register nothing");
}

pub(super) async fn a_changed_shape_is_refused_while_a_run_of_the_old_one_runs(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    store.register(&[shape("a→b")]).await.expect("register");
    let run = process.started().await;
    process.park(run, None).await;
    is_changed(store.register(&[shape("b→a")]).await);

    process.claim_named(&[run]).await;
    process.write(append(run, 2).note("ended").row(Status::Failed)).await;
    store.register(&[shape("b→a")]).await.expect("the old run ended");
}

pub(super) async fn a_changed_shape_is_taken_when_no_run_of_the_old_one_runs(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    store.register(&[shape("a→b")]).await.expect("register");
    process.queued(|_| {}).await;
    store.register(&[shape("b→a")]).await.expect("a queued run has not started with a shape");
    process.started().await;
    is_changed(store.register(&[shape("a→b")]).await);
}

pub(super) async fn another_version_may_have_another_shape(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    store.register(&[shape("a→b")]).await.expect("register");
    process.started().await;
    let next = Shape { version: Version::new("2").expect("a version"), ..shape("b→a") };
    store.register(&[shape("a→b"), next]).await.expect("register");
}

pub(super) async fn a_refused_registration_records_nothing(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let next = |text| Shape { version: Version::new("2").expect("a version"), ..shape(text) };
    store.register(&[shape("a→b"), next("a→b")]).await.expect("register");
    process.started().await;
    is_changed(store.register(&[next("b→a"), shape("b→a")]).await);

    let second =
        process.birth(Status::Running).born(|born| born.version = Version::new("2").expect("a version"));
    process.write(second).await;
    store.register(&[next("a→b")]).await.expect("the second version's shape is the recorded one");
}

pub(super) async fn a_start_by_name_is_given_the_newest_version_that_lives(store: Arc<dyn Store>) {
    let workflow = served().workflow;
    assert_eq!(store.registered(&workflow).await.expect("an answer"), None);
    let process = Process::join(&store).await;
    let minute = Some(Duration::from_secs(60));
    let next = Shape { version: Version::new("2").expect("a version"), timeout: minute, ..shape("a") };
    store.register(&[shape("a")]).await.expect("register");
    store.register(std::slice::from_ref(&next)).await.expect("register");
    let served = store.registered(&workflow).await.expect("an answer").expect("a version");
    assert_eq!(
        (served.version, served.timeout),
        (shape("a").version, None),
        "the one that a living node serves"
    );

    store.leave(process.node).await.expect("leave");
    let newest = store.registered(&workflow).await.expect("an answer").expect("a version");
    assert_eq!((newest.version, newest.timeout, newest.start_timeout), (next.version.clone(), minute, None));

    store.register(&[Shape { timeout: None, start_timeout: minute, ..next }]).await.expect("register");
    let changed = store.registered(&workflow).await.expect("an answer").expect("a version");
    assert_eq!((changed.timeout, changed.start_timeout), (None, minute), "the shape is the same");
}
