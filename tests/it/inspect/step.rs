//! Every step of a task.

use std::time::Duration;

use runlog::{Cx, CxError, Retry, Workflow};

use crate::support::{Ground, on_both, soon, until};

on_both! {
    every_step_shows_its_name_input_output_times_and_tries
    a_step_that_waits_for_its_retry_shows_why_and_until_when
    an_at_most_once_step_is_shown_while_it_runs
}

async fn every_step_shows_its_name_input_output_times_and_tries(ground: impl Ground) {
    let steps = Workflow::function("steps", |cx: Cx, input: u32| async move {
        cx.step("plain", || std::future::ready(Ok::<_, CxError>(1))).await?;
        cx.step("plain", || std::future::ready(Ok::<_, CxError>(2))).await?;
        cx.step("hashed", || std::future::ready(Ok::<_, CxError>("x".to_owned()))).input(&input).await?;
        let mut tries = 0;
        let flaky = || {
            tries += 1;
            std::future::ready(if tries < 3 { Err(std::fmt::Error) } else { Ok(tries) })
        };
        cx.step("flaky", flaky).retry(Retry::fixed(Duration::from_millis(2))).await
    });
    let runtime = ground.builder().workflow(steps.clone()).start().await.unwrap();
    let run = runtime.run(&steps, 9).start().await.unwrap();
    let other = runtime.run(&steps, 10).start().await.unwrap();
    assert_eq!(soon("its output", run.output()).await.unwrap(), 3);
    soon("its output", other.output()).await.unwrap();

    let view = run.get().await.unwrap();

    let steps = &view.tasks[0].steps;
    let shown: Vec<_> = steps
        .iter()
        .map(|step| {
            (step.op.name.as_ref(), step.op.occurrence, step.output.as_ref().unwrap().text(), step.tries)
        })
        .collect();
    assert_eq!(
        shown,
        [("flaky", 0, "3", 3), ("hashed", 0, "\"x\"", 1), ("plain", 0, "1", 1), ("plain", 1, "2", 1)]
    );
    let hash = |view: &runlog::RunView| view.tasks[0].steps[1].input_hash.clone();
    assert!(hash(&view).is_some() && hash(&view) != hash(&other.get().await.unwrap()));
    for step in steps {
        let (started, finished) = (step.started_at.unwrap(), step.finished_at.unwrap());
        assert!(started <= finished && finished <= view.finished_at.unwrap(), "{step:?}");
        assert_eq!((step.error.as_ref(), step.retry_at), (None, None));
    }
}

async fn a_step_that_waits_for_its_retry_shows_why_and_until_when(ground: impl Ground) {
    let failing = Workflow::function("failing", |cx: Cx, (): ()| async move {
        let body = || std::future::ready(Err::<(), _>(std::fmt::Error));
        cx.step("charge", body).retry(Retry::fixed(Duration::from_secs(3600)).jitter(0.0)).await
    });
    let runtime = ground.builder().workflow(failing.clone()).start().await.unwrap();
    let run = runtime.run(&failing, ()).start().await.unwrap();
    until("it failed once", async || !run.get().await.unwrap().tasks[0].steps.is_empty()).await;

    let view = run.get().await.unwrap();
    let step = &view.tasks[0].steps[0];
    assert_eq!((step.output.as_ref(), step.tries), (None, 1));
    assert!(step.error.as_ref().unwrap().message.contains("an error occurred"), "{:?}", step.error);
    let wait = step.retry_at.unwrap() - step.finished_at.unwrap();
    assert!((wait - chrono::TimeDelta::hours(1)).abs() < chrono::TimeDelta::seconds(2), "{wait}");
    assert_eq!(view.waiting.len(), 1, "{:?}", view.waiting);
}

async fn an_at_most_once_step_is_shown_while_it_runs(ground: impl Ground) {
    let once = Workflow::function("once", |cx: Cx, (): ()| async move {
        cx.step("pay", std::future::pending::<Result<(), CxError>>).at_most_once().await
    });
    let runtime = ground.builder().workflow(once.clone()).start().await.unwrap();
    let run = runtime.run(&once, ()).start().await.unwrap();
    until("it began", async || !run.get().await.unwrap().tasks[0].steps.is_empty()).await;

    let view = run.get().await.unwrap();
    let step = &view.tasks[0].steps[0];
    assert!(step.started_at.is_some(), "{step:?}");
    assert_eq!((step.output.as_ref(), step.finished_at), (None, None));
}
