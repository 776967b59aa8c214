//! Why a run stands still whose log is damaged, or that killed its nodes.

use std::time::Duration;

use runlog::inspect::{Action, Cause, Fault};
use runlog::{Cx, Error, Status, Workflow};
use tokio::sync::mpsc;

use crate::support::{Ground, Postgres, damage, gate, soon, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_folded_is_a_cause_and_is_shown_up_to_there() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start().await.unwrap();
    until("it waits", async || !run.get().await.unwrap().waiting.is_empty()).await;
    runtime.shutdown(Duration::ZERO).await.unwrap();
    let events = damage(&ground, &run).await;

    let why = runtime.why(run.id()).await.unwrap().unwrap();

    let Cause::Quarantined { reason } = &why.cause else { panic!("{:?}", why.cause) };
    assert!(reason.contains("its output task has no output"), "{reason}");
    assert!(
        why.headline().starts_with("gate: quarantined: its log cannot be folded: "),
        "{}",
        why.headline()
    );
    assert_eq!(why.actions, [Action::Verify { run: run.id() }]);
    assert_eq!(why.status, Status::Running);
    let shown = runtime.state_at(run.id(), events).await.unwrap().unwrap();
    assert_eq!(shown.kind, "signal_awaited");
    let damaged = runtime.state_at(run.id(), events + 1).await;
    assert!(matches!(damaged, Err(Error::Quarantined { .. })), "{damaged:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_killed_its_nodes_is_named_as_poison() {
    let ground = Postgres::new().await;
    let (killed, mut kills) = mpsc::unbounded_channel();
    let poison = Workflow::function("poison", move |cx: Cx, ()| {
        let killed = killed.clone();
        async move {
            let body = || async {
                killed.send(())?;
                std::future::pending::<anyhow::Result<()>>().await
            };
            anyhow::Ok(cx.step("kill", body).await?)
        }
    });
    let poll = Duration::from_millis(50);
    let client = ground.builder().client().poll_interval(poll).start().await.unwrap();
    let run = client.run(&poison, ()).start().await.unwrap();
    loop {
        let node = ground.builder().workflow(poison.clone()).lease(Duration::from_millis(500));
        let node = node.start().await.unwrap();
        tokio::select! {
            Some(()) = kills.recv() => node.crash(),
            status = soon("its end", run.wait()) => break assert_eq!(status.unwrap(), Status::Failed),
        }
    }

    let why = client.why(run.id()).await.unwrap().unwrap();

    assert!(matches!(why.cause, Cause::Failed { fault: Fault::Poison, .. }), "{:?}", why.cause);
    let line = why.headline();
    assert!(line.starts_with("poison: was isolated: 5 nodes in a row died while they ran it"), "{line}");
    assert_eq!(why.site.unwrap().task.as_str(), "poison");
}
