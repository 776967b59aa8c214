//! How many runs a node holds, and how many of one workflow.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use runlog::{CancelOptions, Cx, Error, Status, Workflow};

use crate::support::{Ground, echo, json, on_both, soon, until};

/// How many naps are going on, and the most there ever were.
#[derive(Clone, Default)]
pub struct Naps(Arc<(AtomicUsize, AtomicUsize)>);

impl Naps {
    fn most(&self) -> usize {
        self.0.1.load(Ordering::Relaxed)
    }
}

/// Stays in memory for some milliseconds.
pub fn nap(naps: Naps) -> Workflow<u64, ()> {
    Workflow::function("nap", move |cx: Cx, millis: u64| {
        let naps = naps.clone();
        async move {
            let body = || async {
                let (now, most) = &*naps.0;
                most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(millis)).await;
                now.fetch_sub(1, Ordering::Relaxed);
                anyhow::Ok(())
            };
            anyhow::Ok(cx.step("nap", body).await?)
        }
    })
}

on_both! {
    no_more_runs_of_a_workflow_are_at_work_than_its_slots
    a_full_workflow_leaves_room_for_the_others
    a_run_that_waits_for_a_slot_is_cancelled_at_once
    a_signalled_run_waits_for_a_slot_like_the_others
}

async fn no_more_runs_of_a_workflow_are_at_work_than_its_slots(ground: impl Ground) {
    let naps = [Naps::default(), Naps::default()];
    let node = async |at: usize| {
        let builder = ground.builder().workflow(nap(naps[at].clone())).workflow_slots("nap", 3);
        builder.start().await.unwrap()
    };
    let nodes = [node(0).await, node(1).await];
    let workflow = nap(Naps::default());
    let mut runs = Vec::new();
    for n in 0..40 {
        runs.push(nodes[n % 2].run(&workflow, 15).start().await.unwrap());
    }
    nodes[0].start_many((0..40).map(|_| nodes[0].run(&workflow, 15)).collect()).await.unwrap();

    for run in &runs {
        assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Succeeded);
    }
    until("all are finished", async || nodes.iter().all(|node| node.live_runs() == 0)).await;
    for naps in &naps {
        assert!((1..=3).contains(&naps.most()), "{} at once", naps.most());
    }
}

async fn a_full_workflow_leaves_room_for_the_others(ground: impl Ground) {
    let node = ground.builder().workflow(nap(Naps::default())).workflow(echo()).workflow_slots("nap", 1);
    let node = node.start().await.unwrap();
    for _ in 0..30 {
        node.run(&nap(Naps::default()), 60_000).start().await.unwrap();
    }
    let run = node.run(&echo(), json("7")).start().await.unwrap();
    assert_eq!(soon("its output", run.output()).await.unwrap().get(), "7");
    until("only the nap is left", async || node.live_runs() == 1).await;
}

async fn a_run_that_waits_for_a_slot_is_cancelled_at_once(ground: impl Ground) {
    // A nap that is parked holds no slot.
    let node = ground.builder().park_after(Duration::from_secs(600)).workflow(nap(Naps::default()));
    let node = node.workflow_slots("nap", 1).start().await.unwrap();
    node.run(&nap(Naps::default()), 60_000).start().await.unwrap();
    let waits = node.run(&nap(Naps::default()), 60_000).start().await.unwrap();
    let says = waits.get().await.unwrap().waiting[0].to_string();
    assert_eq!(
        says,
        "a free slot: the concurrency limit of each node that serves its workflow (1) is reached"
    );

    soon("the answer", waits.cancel(CancelOptions::default())).await.unwrap();

    assert_eq!(waits.get().await.unwrap().status, Status::Cancelled);
    assert_eq!(waits.get().await.unwrap().started_at, None);
}

async fn a_signalled_run_waits_for_a_slot_like_the_others(ground: impl Ground) {
    let naps = Naps::default();
    let held = naps.clone();
    let code = move |cx: Cx, ()| {
        let naps = held.clone();
        async move {
            cx.signal::<()>("go").await?;
            let (now, most) = &*naps.0;
            most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
            now.fetch_sub(1, Ordering::Relaxed);
            anyhow::Ok(())
        }
    };
    let workflow = Workflow::function("held", code);
    let node = ground.builder().workflow(workflow.clone()).workflow_slots("held", 2);
    let node = node.park_after(Duration::from_millis(5)).start().await.unwrap();
    let mut runs = Vec::new();
    for _ in 0..12 {
        runs.push(node.run(&workflow, ()).start().await.unwrap());
    }
    until("all wait, parked", async || {
        let mut parked = 0;
        for run in &runs {
            parked += usize::from(run.get().await.unwrap().events > 3);
        }
        parked == runs.len() && node.live_runs() == 0
    })
    .await;

    for run in &runs {
        run.signal("go", &()).await.unwrap();
    }

    for run in &runs {
        assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Succeeded);
    }
    assert!(naps.most() <= 2, "{} at once", naps.most());
}

#[tokio::test]
async fn slots_that_cannot_be_kept_are_refused() {
    let memory = crate::support::Memory::new().await;
    let refused = async |name: &str, slots| {
        let started = memory.builder().workflow(echo()).workflow_slots(name, slots).start().await;
        let error = started.err().expect("it is refused");
        assert!(matches!(error, Error::Setting { name: "workflow_slots", .. }), "{error:?}");
        error.to_string()
    };
    assert_eq!(
        refused("ecko", 1).await,
        "setting workflow_slots: no workflow \"ecko\" is served here: give it to the builder first"
    );
    assert_eq!(refused("echo", 0).await, "setting workflow_slots: 0 would never run echo, at least 1");
}
