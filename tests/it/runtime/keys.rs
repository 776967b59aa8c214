//! A key makes two starts one run.

use futures_util::future::join_all;
use runlog::Error;

use crate::support::{Ground, echo, gate, json, on_both, soon, until};

on_both! {
    starting_a_key_again_gives_the_same_run
    a_key_stays_taken_when_its_run_has_ended
    a_hundred_starts_of_one_key_on_two_nodes_are_one_run
    if_exists_fail_refuses_a_taken_key
    a_key_of_another_workflow_or_namespace_is_another_run
    a_delayed_start_with_a_taken_key_gives_the_same_run
}

async fn starting_a_key_again_gives_the_same_run(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let first = runtime.run(&gate(), 1.into()).key("order").start_or_get().await.unwrap();

    let again = runtime.run(&gate(), 2.into()).key("order").start_or_get().await.unwrap();

    assert_eq!((first.created, again.created), (true, false));
    assert_eq!(first.run.id(), again.run.id());
    assert_eq!(again.run.get().await.unwrap().input.text(), "1", "the first start counts");
    assert_eq!(runtime.find("gate", "order").await.unwrap(), Some(first.run.id()));
    first.run.signal("go", &"done").await.unwrap();
    assert_eq!(soon("its output", again.run.output()).await.unwrap(), "done");
    until("the start that came too late left no actor", async || runtime.live_runs() == 0).await;
}

async fn a_key_stays_taken_when_its_run_has_ended(ground: impl Ground) {
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let first = runtime.run(&echo(), json("1")).key("order").start().await.unwrap();
    soon("its end", first.wait()).await.unwrap();

    let again = runtime.run(&echo(), json("2")).key("order").start_or_get().await.unwrap();

    assert_eq!((again.run.id(), again.created), (first.id(), false));
    assert_eq!(soon("the old output", again.run.output()).await.unwrap().get(), "1");
}

async fn a_hundred_starts_of_one_key_on_two_nodes_are_one_run(ground: impl Ground) {
    let nodes = [
        ground.builder().workflow(gate()).start().await.unwrap(),
        ground.builder().workflow(gate()).start().await.unwrap(),
    ];
    let start = async |n: usize| {
        let started = nodes[n % 2].run(&gate(), n.into()).key("order").start_or_get().await.unwrap();
        (started.run.id(), started.created)
    };

    let started = join_all((0..100).map(start)).await;

    assert_eq!(started.iter().filter(|(_, created)| *created).count(), 1);
    assert!(started.iter().all(|(run, _)| *run == started[0].0));
    let run = nodes[0].handle(started[0].0);
    run.signal("go", &"done").await.unwrap();
    assert_eq!(soon("its output", run.output()).await.unwrap(), "done");
}

async fn if_exists_fail_refuses_a_taken_key(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let first = runtime.run(&gate(), 1.into()).key("order").if_exists_fail().start().await.unwrap();

    let again = runtime.run(&gate(), 2.into()).key("order").if_exists_fail().start().await;

    let error = again.unwrap_err();
    assert!(matches!(&error, Error::KeyExists { run, .. } if *run == first.id()), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("run {} of workflow gate has the key \"order\" already", first.id())
    );
}

async fn a_key_of_another_workflow_or_namespace_is_another_run(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).workflow(echo()).start().await.unwrap();
    let first = runtime.run(&gate(), 1.into()).key("order").start_or_get().await.unwrap();

    let other = runtime.run(&echo(), json("1")).key("order").start_or_get().await.unwrap();
    let tenant = runtime.run(&gate(), 1.into()).namespace("b").key("order").start_or_get().await.unwrap();

    assert!(other.created && tenant.created);
    assert_ne!(first.run.id(), tenant.run.id());
}

async fn a_delayed_start_with_a_taken_key_gives_the_same_run(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let hour = std::time::Duration::from_secs(3600);
    let first = runtime.run(&gate(), 1.into()).key("order").delay(hour).start_or_get().await.unwrap();

    let now = runtime.run(&gate(), 2.into()).key("order").start_or_get().await.unwrap();
    let later = runtime.run(&gate(), 3.into()).key("order").delay(hour).start_or_get().await.unwrap();

    assert_eq!((now.run.id(), now.created), (first.run.id(), false));
    assert_eq!((later.run.id(), later.created), (first.run.id(), false));
}
