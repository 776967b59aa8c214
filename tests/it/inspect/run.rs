//! `get` answers everything about a run at once.

use std::time::Duration;

use runlog::model::event::Trigger;
use runlog::{Cx, CxError, Retry, Status, Workflow};
use serde_json::Value;

use crate::support::{Ground, gate, on_both, soon, until};

on_both! {
    get_answers_everything_about_a_run
    a_failed_run_says_why
    a_child_knows_its_parent_and_the_parent_its_children
    a_long_log_is_read_whole
    events_are_read_in_order_and_in_pages
}

async fn get_answers_everything_about_a_run(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let new = runtime.run(&gate(), Value::from(vec![1, 2])).key("k").namespace("n").metadata([("a", "b")]);
    let run = new.priority(3).timeout(Duration::from_secs(60)).start().await.unwrap();
    run.signal("go", &"out").await.unwrap();
    soon("its end", run.wait()).await.unwrap();

    let view = runtime.get(run.id()).await.unwrap().unwrap();

    assert_eq!(view.id, run.id());
    assert_eq!((view.workflow.as_str(), view.version.as_str()), ("gate", "1"));
    assert_eq!((view.namespace.as_str(), view.key.as_ref().unwrap().as_str()), ("n", "k"));
    assert_eq!((view.status, view.waiting.len()), (Status::Succeeded, 0));
    assert_eq!((view.input.text(), view.output.as_ref().unwrap().text()), ("[1,2]", "\"out\""));
    assert_eq!((view.end.as_ref(), view.error(), view.cancel.as_ref()), (None, None, None));
    assert_eq!((view.metadata.len(), view.metadata["a"].as_str(), view.priority), (1, "b", 3));
    assert_eq!((&view.trigger, view.parent.as_ref(), view.children.len()), (&Trigger::Manual, None, 0));
    assert_eq!((view.retries, view.claims, view.timeout), (0, 0, Some(Duration::from_secs(60))));
    assert!(view.node.is_some() && view.execution_time().is_some() && view.queue_latency().is_some());
    let log = runtime.events(run.id(), 0, 100).await.unwrap();
    assert_eq!((view.events as usize, view.tasks.len()), (log.len(), 1));
}

async fn a_failed_run_says_why(ground: impl Ground) {
    #[derive(Debug, thiserror::Error)]
    #[error("card declined")]
    struct Declined(#[source] std::num::ParseIntError);
    let code = |cx: Cx, (): ()| async move {
        let failing = || std::future::ready("x".parse::<i32>().map_err(Declined));
        cx.step("charge", failing).await.map(drop)
    };
    let failing =
        Workflow::function("failing", code).retry(Retry::fixed(Duration::from_millis(1)).max_attempts(3));
    let runtime = ground.builder().workflow(failing.clone()).start().await.unwrap();
    let run = runtime.run(&failing, ()).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();

    let view = run.get().await.unwrap();

    assert_eq!((view.status, view.retries, view.output.as_ref()), (Status::Failed, 2, None));
    let error = view.error().unwrap();
    assert!(error.message.contains("card declined"), "{error:?}");
    assert!(error.location.as_ref().is_some_and(|at| at.contains("inspect/run.rs:")), "{error:?}");
    let step = view.tasks[0].steps[0].error.as_ref().unwrap();
    assert_eq!((step.kind.as_ref(), step.message.as_str()), ("Declined", "card declined"));
    assert_eq!(step.chain, ["invalid digit found in string"]);
    assert!(step.location.as_ref().is_some_and(|at| at.contains("inspect/run.rs:")), "{step:?}");
}

async fn a_child_knows_its_parent_and_the_parent_its_children(ground: impl Ground) {
    let parent =
        Workflow::function("parent", |cx: Cx, (): ()| async move { cx.child(&gate(), Value::from(5)).await });
    let runtime = ground.builder().workflow(parent.clone()).workflow(gate()).start().await.unwrap();
    let run = runtime.run(&parent, ()).namespace("tenant").start().await.unwrap();
    until("it has a child", async || !run.get().await.unwrap().children.is_empty()).await;

    let view = run.get().await.unwrap();
    let (child, workflow, status) = &view.children[0];
    assert_eq!((view.children.len(), workflow.as_str(), *status), (1, "gate", Status::Running));
    let child = runtime.get(*child).await.unwrap().unwrap();
    let link = child.parent.as_ref().unwrap();
    assert_eq!((link.run, link.task.as_str(), link.depth), (run.id(), "parent", 1));
    assert_eq!(
        (child.namespace.as_str(), &child.trigger, child.input.text()),
        ("tenant", &Trigger::Parent, "5")
    );

    runtime.signal(child.id, "go", &"on").await.unwrap();
    assert_eq!(soon("its output", run.output()).await.unwrap(), "on");
    assert_eq!(run.get().await.unwrap().children[0].2, Status::Succeeded);
}

/// More events than a snapshot waits for, over several parkings.
async fn a_long_log_is_read_whole(ground: impl Ground) {
    let long = Workflow::function("long", |cx: Cx, (): ()| async move {
        for round in 0..3 {
            for n in 0..150 {
                cx.step(&format!("{round}-{n}"), || std::future::ready(Ok::<_, CxError>(n))).await?;
            }
            cx.signal::<()>("go").await?;
        }
        Ok::<_, CxError>(())
    });
    let runtime =
        ground.builder().workflow(long.clone()).park_after(Duration::from_millis(1)).start().await.unwrap();
    let run = runtime.run(&long, ()).start().await.unwrap();
    for round in 0..3 {
        until("it waits, parked", async || {
            let view = run.get().await.unwrap();
            view.claims == round && !view.waiting.is_empty() && runtime.live_runs() == 0
        })
        .await;
        run.signal("go", &()).await.unwrap();
    }
    soon("its end", run.wait()).await.unwrap();

    let view = run.get().await.unwrap();
    assert_eq!((view.status, view.tasks[0].steps.len()), (Status::Succeeded, 450));
    assert!(view.events > 460, "{}", view.events);
    assert_eq!(view.claims, 3, "it was parked and claimed again");
}

async fn events_are_read_in_order_and_in_pages(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start().await.unwrap();
    run.signal("go", &"on").await.unwrap();
    soon("its end", run.wait()).await.unwrap();

    let all = runtime.events(run.id(), 0, 100).await.unwrap();
    let kinds: Vec<_> = all.iter().map(|recorded| recorded.event.kind()).collect();
    assert!(all.iter().zip(1..).all(|(recorded, seq)| recorded.seq == seq));
    assert_eq!((kinds[0], kinds[1], kinds[2]), ("run_created", "run_started", "attempt_started"));
    assert_eq!(kinds.last(), Some(&"run_succeeded"));
    let mut paged = Vec::new();
    loop {
        let page = runtime.events(run.id(), paged.len() as u32, 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        paged.extend(page);
    }
    assert_eq!(paged, all);
}
