//! The shapes of workflows.

use std::sync::Arc;

use runlog::model::{Status, Version};
use runlog::store::{Served, Shape, Store, StoreError};

use crate::store::process::*;

fn shape(text: &str) -> Shape {
    let Served { workflow, version, .. } = served();
    Shape { workflow, version, tasks: vec![], shape: text.to_owned() }
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
