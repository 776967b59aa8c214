//! Code that does not fit its runs: told of before it is deployed, and blocked without a loss after.

use runlog::model::{Event, RunEvent, Waiting};
use runlog::{Cx, RunHandle, Runtime, Status, Workflow};

use crate::support::{Ground, PATIENCE, on_both, soon, until};
use crate::workflow::Infallible;

on_both! {
    a_run_is_blocked_by_other_code_and_goes_on_with_its_own
    a_client_checks_code_before_it_is_deployed
}

/// Two steps and a signal, the second step called `second`.
fn steps(second: &'static str) -> Workflow<(), u32> {
    Workflow::function("changing", move |cx: Cx, ()| async move {
        let a = cx.step("first", || async { Ok::<_, Infallible>(1) }).await?;
        let b = cx.step(second, || async { Ok::<_, Infallible>(2) }).await?;
        let c = cx.signal::<u32>("go").await?.unwrap_or(0);
        let _nudge = cx.signal::<u32>("nudge").await?;
        anyhow::Ok(a + b + c)
    })
}

/// Starts a run and waits until it waits for its signal.
async fn start(node: &Runtime) -> RunHandle<serde_json::Value> {
    let run = node.run(&steps("second"), ()).start().await.unwrap();
    let run = node.handle(run.id());
    until("it waits", async || !run.get().await.unwrap().waiting.is_empty()).await;
    run
}

async fn blocked(run: &RunHandle<serde_json::Value>) -> Option<String> {
    let waiting = run.get().await.unwrap().waiting;
    waiting.into_iter().find_map(|wait| match wait {
        Waiting::Blocked { report } => Some(report),
        _ => None,
    })
}

async fn a_run_is_blocked_by_other_code_and_goes_on_with_its_own(ground: impl Ground) {
    let node = ground.builder().workflow(steps("second")).start().await.unwrap();
    let run = start(&node).await;
    node.shutdown(PATIENCE).await.unwrap();
    let other = ground.builder().workflow(steps("deuxième")).start().await.unwrap();
    let run = other.handle(run.id());
    other.signal(run.id(), "go", &39).await.unwrap();
    until("it is blocked", async || blocked(&run).await.is_some()).await;
    let report = blocked(&run).await.unwrap();
    let lines: Vec<&str> = report.lines().collect();
    assert!(lines[0].starts_with(
        "task `changing`: the log has a step `second` where the code asks for a step `deuxième` ("
    ));
    assert!(lines[1].contains("recorded") && lines[1].contains("| code"), "{report}");
    assert!(lines[2].contains("step `first`") && lines[2].contains("tests/it/runtime/check.rs:"), "{report}");
    assert!(lines[3].starts_with("~ step `second`") && lines[3].ends_with("[renamed]"), "{report}");
    assert_eq!(run.get().await.unwrap().status, Status::Running);
    other.shutdown(PATIENCE).await.unwrap();

    let node = ground.builder().workflow(steps("second")).start().await.unwrap();
    let run = node.handle(run.id());
    node.signal(run.id(), "nudge", &0).await.unwrap();
    assert_eq!(soon("the output", run.output()).await.unwrap(), serde_json::json!(42));
    let log = node.events(run.id(), 0, 1_000).await.unwrap();
    let reports = log.iter().filter(|event| matches!(event.event, Event::Run(RunEvent::Blocked(_)))).count();
    assert_eq!(reports, 1);
    node.shutdown(PATIENCE).await.unwrap();
}

async fn a_client_checks_code_before_it_is_deployed(ground: impl Ground) {
    let node = ground.builder().workflow(steps("second")).start().await.unwrap();
    let run = start(&node).await;
    for (code, fits) in [("second", true), ("deuxième", false)] {
        let client = ground.builder().workflow(steps(code)).client().start().await.unwrap();
        let report = client.check(&[run.id()]).await.unwrap();
        assert_eq!(report.is_ok(), fits, "{report}");
        let blocks: Vec<bool> = report.divergences().map(|(_, divergence)| divergence.blocks).collect();
        assert_eq!(blocks, if fits { vec![] } else { vec![true] });
        client.shutdown(PATIENCE).await.unwrap();
    }
    assert_eq!(blocked(&run).await, None, "nothing was written");
    let unknown = runlog::RunId::from_tick(1, 1);
    let missing = node.check(&[unknown]).await;
    assert!(matches!(missing, Err(runlog::Error::NotFound { run }) if run == unknown));
    node.shutdown(PATIENCE).await.unwrap();
}
