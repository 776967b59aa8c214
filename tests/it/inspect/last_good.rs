//! The run to compare a failed one with.

use runlog::{Cx, RunId, Runtime, Workflow};

use crate::support::{Ground, on_both, soon};

on_both! {
    it_is_the_newest_run_before_it_that_succeeded
    one_with_the_same_metadata_comes_before_a_newer_one
    one_of_the_same_version_comes_before_a_newer_one
    it_is_never_of_another_workflow_or_namespace
}

fn even(name: &str, version: &str) -> Workflow<u32, u32> {
    let code = |_: Cx, n: u32| async move { if n.is_multiple_of(2) { Ok(n) } else { Err(std::fmt::Error) } };
    Workflow::function(name, code).version(version)
}

async fn run(runtime: &Runtime, workflow: &Workflow<u32, u32>, n: u32, tenant: Option<&str>) -> RunId {
    let new = runtime.run(workflow, n).metadata(tenant.map(|tenant| ("tenant", tenant)));
    let run = new.start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    run.id()
}

async fn it_is_the_newest_run_before_it_that_succeeded(ground: impl Ground) {
    let even = even("even", "1");
    let runtime = ground.builder().workflow(even.clone()).start().await.unwrap();
    let bad = run(&runtime, &even, 1, None).await;
    assert_eq!(runtime.last_good(bad).await.unwrap(), None);
    let mut runs = Vec::new();
    for n in [2, 4, 3, 5, 6] {
        runs.push(run(&runtime, &even, n, None).await);
    }
    assert_eq!(
        runtime.last_good(runs[3]).await.unwrap(),
        Some(runs[1]),
        "neither a failed one nor a later one"
    );
    assert_eq!(runtime.last_good(runs[4]).await.unwrap(), Some(runs[1]), "a good run has one, too");
}

async fn one_with_the_same_metadata_comes_before_a_newer_one(ground: impl Ground) {
    let even = even("even", "1");
    let runtime = ground.builder().workflow(even.clone()).start().await.unwrap();
    let alike = run(&runtime, &even, 2, Some("a")).await;
    let newer = run(&runtime, &even, 4, Some("b")).await;
    let bad = run(&runtime, &even, 5, Some("a")).await;
    assert_eq!(runtime.last_good(bad).await.unwrap(), Some(alike));
    let other = run(&runtime, &even, 5, Some("c")).await;
    assert_eq!(runtime.last_good(other).await.unwrap(), Some(newer));
}

async fn one_of_the_same_version_comes_before_a_newer_one(ground: impl Ground) {
    let (first, second) = (even("even", "1"), even("even", "2"));
    let runtime = ground.builder().workflow(first.clone()).workflow(second.clone()).start().await.unwrap();
    let alike = run(&runtime, &first, 2, None).await;
    run(&runtime, &second, 4, None).await;
    let bad = run(&runtime, &first, 5, None).await;
    assert_eq!(runtime.last_good(bad).await.unwrap(), Some(alike));
}

async fn it_is_never_of_another_workflow_or_namespace(ground: impl Ground) {
    let (even, other) = (even("even", "1"), even("other", "1"));
    let runtime = ground.builder().workflow(even.clone()).workflow(other.clone()).start().await.unwrap();
    run(&runtime, &other, 2, None).await;
    let elsewhere = runtime.run(&even, 2).namespace("tenant").start().await.unwrap();
    soon("its end", elsewhere.wait()).await.unwrap();
    let bad = run(&runtime, &even, 5, None).await;
    assert_eq!(runtime.last_good(bad).await.unwrap(), None);
}
