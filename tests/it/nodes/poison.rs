//! A run that kills its nodes is isolated; its neighbours finish.

use std::time::Duration;

use runlog::workflow::CxError;
use runlog::{Cx, Runtime, Status, Workflow};
use tokio::sync::mpsc;

use crate::support::{Ground, on_both, soon};

const LEASE: Duration = Duration::from_millis(500);

on_both! {
    a_run_that_kills_five_nodes_in_a_row_fails_and_its_neighbours_finish
    a_poison_run_that_was_to_be_cancelled_is_cancelled
}

/// Ends its node as soon as it runs: `killed` does it from outside.
fn poison(killed: &mpsc::UnboundedSender<()>) -> Workflow<(), ()> {
    let killed = killed.clone();
    Workflow::function("poison", move |cx: Cx, ()| {
        let killed = killed.clone();
        async move {
            let body = || async {
                killed.send(())?;
                std::future::pending::<anyhow::Result<()>>().await
            };
            anyhow::Ok(cx.step("kill", body).await?)
        }
    })
}

/// Makes two steps that take longer than a node lives.
fn neighbour() -> Workflow<u32, u32> {
    Workflow::function("neighbour", |cx: Cx, n: u32| async move {
        for step in ["one", "two"] {
            let body = || async {
                tokio::time::sleep(Duration::from_millis(150)).await;
                anyhow::Ok(())
            };
            cx.step(step, body).await?;
        }
        Ok::<_, CxError>(n)
    })
}

async fn node(ground: &impl Ground, killed: &mpsc::UnboundedSender<()>) -> Runtime {
    let builder = ground.builder().workflow(poison(killed)).workflow(neighbour()).lease(LEASE);
    builder.start().await.unwrap()
}

async fn a_run_that_kills_five_nodes_in_a_row_fails_and_its_neighbours_finish(ground: impl Ground) {
    let (killed, mut kills) = mpsc::unbounded_channel();
    let client = ground.builder().client().poll_interval(Duration::from_millis(50)).start().await.unwrap();
    let run = client.run(&poison(&killed), ()).start().await.unwrap();
    let mut neighbours = Vec::new();
    for n in 0..10 {
        neighbours.push(client.run(&neighbour(), n).start().await.unwrap());
    }

    let mut deaths = 0;
    let status = loop {
        let node = node(&ground, &killed).await;
        tokio::select! {
            Some(()) = kills.recv() => {
                deaths += 1;
                node.crash();
            }
            status = soon("its end", run.wait()) => break status.unwrap(),
        }
    };

    // The first node started it, which got it further; the five that came after did not.
    assert_eq!((status, deaths), (Status::Failed, 6));
    let run = run.get().await.unwrap();
    let error = run.error().expect("an error");
    assert_eq!(error.kind, "poison");
    assert_eq!(
        error.message,
        "5 nodes in a row died while they ran it, and it got no further in between: look in its code for what ends \
         a process (abort, stack overflow, memory) or blocks its threads"
    );
    for (n, neighbour) in (0..).zip(neighbours) {
        assert_eq!(soon("a neighbour", neighbour.output()).await.unwrap(), n);
    }
}

async fn a_poison_run_that_was_to_be_cancelled_is_cancelled(ground: impl Ground) {
    let (killed, mut kills) = mpsc::unbounded_channel();
    let client = ground.builder().client().poll_interval(Duration::from_millis(50)).start().await.unwrap();
    let run = client.run(&poison(&killed), ()).start().await.unwrap();
    let first = node(&ground, &killed).await;
    kills.recv().await.unwrap();
    let grace = Duration::from_secs(3_600);
    client.cancel(run.id(), runlog::CancelOptions::default().reason("odd").grace(grace)).await.unwrap();
    first.crash();

    let status = loop {
        let node = node(&ground, &killed).await;
        tokio::select! {
            Some(()) = kills.recv() => node.crash(),
            status = soon("its end", run.wait()) => break status.unwrap(),
        }
    };

    assert_eq!(status, Status::Cancelled);
}
