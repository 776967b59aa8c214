//! Every task and attempt of a run.

use std::time::Duration;

use runlog::{Cx, CxError, Retry, Status, TaskStatus, Workflow};

use crate::support::{Ground, on_both, soon};

on_both! {
    tasks_show_their_edges_inputs_and_outputs
    every_attempt_shows_its_node_times_and_error
    a_panic_is_an_attempts_error
    an_attempt_that_took_too_long_is_timed_out
}

async fn tasks_show_their_edges_inputs_and_outputs(ground: impl Ground) {
    let dag = Workflow::dag::<u32>("diamond");
    let left = dag.task("left", |_: Cx, n: u32| async move { Ok::<_, CxError>(n + 1) });
    let right = dag.task("right", |_: Cx, n: u32| async move { Ok::<_, CxError>(format!("r{n}")) });
    let both = dag.task_after("both", (&left, &right), |_: Cx, n: u32, (l, r): (u32, String)| async move {
        Ok::<_, CxError>(format!("{n} {l} {r}"))
    });
    let diamond = dag.output(&both);
    let runtime = ground.builder().workflow(diamond.clone()).start().await.unwrap();
    let run = runtime.run(&diamond, 7).start().await.unwrap();
    assert_eq!(soon("its output", run.output()).await.unwrap(), "7 8 r7");

    let view = run.get().await.unwrap();

    let names: Vec<_> = view.tasks.iter().map(|task| (task.name.as_str(), task.status)).collect();
    assert_eq!(names, ["left", "right", "both"].map(|name| (name, TaskStatus::Succeeded)));
    let both = view.task("both").unwrap();
    let after: Vec<_> = both.after.iter().map(|name| name.as_str()).collect();
    let inputs: Vec<_> = both.inputs.iter().map(|(name, input)| (name.as_str(), input.text())).collect();
    assert_eq!((after, inputs), (vec!["left", "right"], vec![("left", "8"), ("right", "\"r7\"")]));
    assert_eq!(both.output.as_ref().unwrap().text(), "\"7 8 r7\"");
    let ready = view.task("left").unwrap().finished_at.max(view.task("right").unwrap().finished_at);
    assert_eq!(both.queued_until, ready, "it could begin when the last before it had ended");
    assert!(both.queue_latency().is_some() && both.execution_time().is_some());
    assert_eq!(view.task("nothing"), None);
}

async fn every_attempt_shows_its_node_times_and_error(ground: impl Ground) {
    #[derive(Debug, thiserror::Error)]
    #[error("attempt {0} is unlucky")]
    struct Unlucky(u32);
    let flaky = Workflow::function("flaky", |cx: Cx, (): ()| async move {
        if cx.attempt() < 3 { Err(Unlucky(cx.attempt())) } else { Ok(()) }
    });
    let flaky = flaky.retry(Retry::fixed(Duration::from_millis(5)));
    let runtime = ground.builder().workflow(flaky.clone()).start().await.unwrap();
    let run = runtime.run(&flaky, ()).start().await.unwrap();
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Succeeded);

    let view = run.get().await.unwrap();

    let task = &view.tasks[0];
    let errors: Vec<_> =
        task.attempts.iter().map(|attempt| attempt.error.as_ref().map(|error| error.to_string())).collect();
    let unlucky = |n: u32| Some(format!("Unlucky: attempt {n} is unlucky"));
    assert_eq!(errors, [unlucky(1), unlucky(2), None]);
    assert!(task.attempts.iter().all(|attempt| attempt.node == view.node && attempt.finished_at.is_some()));
    assert_eq!(task.attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2, 3]);
    let location = task.attempts[0].error.as_ref().unwrap().location.as_ref().unwrap();
    assert!(location.contains("inspect/task.rs:"), "{location}");
}

async fn a_panic_is_an_attempts_error(ground: impl Ground) {
    let panicking = Workflow::function("panicking", |cx: Cx, (): ()| async move {
        assert!(cx.attempt() > 1, "boom {}", cx.attempt());
        Ok::<_, CxError>(())
    });
    let panicking = panicking.retry(Retry::fixed(Duration::from_millis(1)));
    let runtime = ground.builder().workflow(panicking.clone()).start().await.unwrap();
    let run = runtime.run(&panicking, ()).start().await.unwrap();
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Succeeded);

    let view = run.get().await.unwrap();
    let error = view.tasks[0].attempts[0].error.as_ref().unwrap();
    assert_eq!((error.kind.as_ref(), error.message.as_str()), ("panic", "boom 1"));
}

async fn an_attempt_that_took_too_long_is_timed_out(ground: impl Ground) {
    let dag = Workflow::dag::<()>("slow");
    let slow = dag.task("slow", |_: Cx, (): ()| std::future::pending::<Result<(), CxError>>());
    let slow = slow.timeout(Duration::from_millis(40));
    let slow = dag.output(&slow);
    let runtime = ground.builder().workflow(slow.clone()).start().await.unwrap();
    let run = runtime.run(&slow, ()).start().await.unwrap();
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Failed);

    let view = run.get().await.unwrap();
    let task = &view.tasks[0];
    let attempt = &task.attempts[0];
    assert_eq!((task.status, view.error().unwrap().kind.as_ref()), (TaskStatus::TimedOut, "task_timed_out"));
    assert!(attempt.finished_at.unwrap() >= attempt.deadline.unwrap(), "it ended before its deadline");
}
