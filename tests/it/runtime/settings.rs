//! What the builder refuses before it asks the database.

use std::time::Duration;

use runlog::workflow::BuildError;
use runlog::{Cx, Error, RuntimeBuilder, Workflow};

use crate::support::{Ground, Memory, gate};

async fn refused(change: impl FnOnce(RuntimeBuilder) -> RuntimeBuilder) -> String {
    let ground = Memory::new().await;
    match change(ground.builder()).start().await {
        Ok(_) => panic!("it was accepted"),
        Err(error @ (Error::Setting { .. } | Error::Workflow(_))) => error.to_string(),
        Err(error) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn each_setting_out_of_range_is_named_with_what_would_do() {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    for (said, expected) in [
        (
            refused(|b| b.lease(Duration::from_millis(499))).await,
            "setting lease: 499ms is out of range, 500ms to 3600s",
        ),
        (refused(|b| b.lease(Duration::ZERO)).await, "setting lease: 0ns is out of range, 500ms to 3600s"),
        (refused(|b| b.lease(hours(2))).await, "setting lease: 7200s is out of range, 500ms to 3600s"),
        (
            refused(|b| b.lease(Duration::MAX)).await,
            "setting lease: 18446744073709551615.999999999s is out of range, 500ms to 3600s",
        ),
        (refused(|b| b.lanes(0)).await, "setting lanes: 0 is out of range, 1 to 16"),
        (refused(|b| b.lanes(17)).await, "setting lanes: 17 is out of range, 1 to 16"),
        (refused(|b| b.live_runs(0)).await, "setting live_runs: 0 would never run anything, at least 1"),
        (refused(|b| b.retention_share(0.0)).await, "setting retention_share: 0 is out of range, 0.001 to 1"),
        (
            refused(|b| b.retention_share(f64::NAN)).await,
            "setting retention_share: NaN is out of range, 0.001 to 1",
        ),
        (
            refused(|b| b.retention_interval(Duration::ZERO)).await,
            "setting retention_interval: 0ns is out of range, 100ms to 604800s",
        ),
        (
            refused(|b| b.poll_interval(Duration::ZERO)).await,
            "setting poll_interval: 0ns is out of range, 1ms to 3600s",
        ),
        (
            refused(|b| b.poll_interval(Duration::from_micros(999))).await,
            "setting poll_interval: 999µs is out of range, 1ms to 3600s",
        ),
        (
            refused(|b| b.poll_interval(Duration::MAX)).await,
            "setting poll_interval: 18446744073709551615.999999999s is out of range, 1ms to 3600s",
        ),
        (
            refused(|b| b.node_name("")).await,
            "setting node_name: must have 1 to 128 bytes and no control character",
        ),
        (
            refused(|b| b.node_name("n".repeat(129))).await,
            "setting node_name: must have 1 to 128 bytes and no control character",
        ),
        (
            refused(|b| b.node_name("a\0b")).await,
            "setting node_name: must have 1 to 128 bytes and no control character",
        ),
    ] {
        assert_eq!(said, expected);
    }
}

#[tokio::test]
async fn the_edges_of_each_range_are_accepted() {
    let ground = Memory::new().await;
    let hour = Duration::from_secs(3600);
    let least = ground.builder().lease(Duration::from_millis(500)).lanes(1).live_runs(1);
    let least = least.poll_interval(Duration::from_millis(1)).park_after(Duration::ZERO).node_name("n");
    least.start().await.unwrap();
    let most = ground.builder().lease(hour).lanes(16).live_runs(usize::MAX).poll_interval(hour);
    most.park_after(Duration::MAX).node_name("n".repeat(128)).start().await.unwrap();
}

#[tokio::test]
async fn a_workflow_that_cannot_be_served_is_refused() {
    let function = |name: &str| Workflow::function(name, |_: Cx, (): ()| async { anyhow::Ok(()) });
    let said = refused(|b| b.workflow(gate()).workflow(gate())).await;
    assert_eq!(said, "workflow gate version 1 is given twice: give the second another version");
    let said = refused(|b| b.workflow(function(""))).await;
    assert!(said.starts_with("workflow \"\": "), "{said}");
    let said = refused(|b| b.workflow(function(&"w".repeat(129)))).await;
    assert!(said.contains("129 bytes, the limit is 128"), "{said}");
    let said = refused(|b| b.workflow(function("a\0"))).await;
    assert!(said.contains("control character"), "{said}");
    let said = refused(|b| b.workflow(function("w").version(""))).await;
    assert!(said.contains("the workflow's version is empty"), "{said}");
    let said = refused(|b| b.workflow(function("w").timeout(Duration::ZERO))).await;
    assert_eq!(said, "workflow w: its timeout is 0ns: it must be more than zero and at most 100 years");
    let said = refused(|b| b.workflow(function("w").start_timeout(Duration::MAX))).await;
    assert!(said.starts_with("workflow w: its start_timeout is 18446744073709551615.999999999s"), "{said}");
}

#[tokio::test]
async fn the_first_bad_workflow_is_the_one_that_is_told() {
    let ground = Memory::new().await;
    let other = gate().version("");
    let refused = ground.builder().workflow(gate()).workflow(gate()).workflow(other).start().await;
    assert!(matches!(refused, Err(Error::Workflow(BuildError::DuplicateWorkflow { .. }))));
}
