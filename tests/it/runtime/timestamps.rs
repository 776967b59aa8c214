//! When things happened, on the database's clock.

use std::time::Duration;

use runlog::model::Timestamp;
use runlog::{Cx, CxError, Retry, Workflow};

use crate::support::{Ground, Postgres, echo, gate, json, on_both, soon, until};

on_both! {
    every_instant_lies_between_the_call_and_its_answer
    what_is_not_reached_has_no_instant
    a_run_from_the_queue_was_assigned_before_it_started
    attempts_have_their_own_instants
}

/// Says that instants are in order.
fn assert_ascend(instants: &[(&str, Timestamp)]) {
    for pair in instants.windows(2) {
        assert!(pair[0].1 <= pair[1].1, "{} is before {}: {pair:?}", pair[1].0, pair[0].0);
    }
}

async fn every_instant_lies_between_the_call_and_its_answer(ground: impl Ground) {
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let before = ground.now().await;
    let run = runtime.run(&echo(), json("1")).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    let after = ground.now().await;

    let view = run.get().await.unwrap();
    let task = view.task("echo").unwrap();
    let attempt = &task.attempts[0];
    let step = &task.steps[0];
    // Ids are drawn from this process's copy of the database's clock, which may be a little behind, never ahead.
    assert!(view.created_at > before - chrono::TimeDelta::milliseconds(50));
    assert_ascend(&[
        ("created", view.created_at),
        ("queued until", view.queued_until),
        ("assigned", view.assigned_at.unwrap()),
        ("started", view.started_at.unwrap()),
        ("task created", task.created_at),
        ("task queued until", task.queued_until.unwrap()),
        ("task assigned", task.assigned_at.unwrap()),
        ("task started", task.started_at.unwrap()),
        ("attempt created", attempt.created_at),
        ("attempt queued until", attempt.queued_until),
        ("attempt assigned", attempt.assigned_at),
        ("attempt started", attempt.started_at),
    ]);
    assert_ascend(&[
        ("the call", before),
        ("started", view.started_at.unwrap()),
        ("attempt finished", attempt.finished_at.unwrap()),
        ("task finished", task.finished_at.unwrap()),
        ("finished", view.finished_at.unwrap()),
        ("the answer", after),
    ]);
    assert_ascend(&[
        ("step started", step.started_at.unwrap()),
        ("step finished", step.finished_at.unwrap()),
    ]);
    assert_eq!(
        view.execution_time().unwrap(),
        (view.finished_at.unwrap() - view.started_at.unwrap()).to_std().unwrap()
    );
    assert_eq!(
        view.queue_latency().unwrap(),
        (view.started_at.unwrap() - view.queued_until).to_std().unwrap()
    );
}

async fn what_is_not_reached_has_no_instant(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let hour = Duration::from_secs(3600);
    let queued = runtime.run(&gate(), 1.into()).delay(hour).start().await.unwrap().get().await.unwrap();
    assert_eq!((queued.assigned_at, queued.started_at, queued.finished_at), (None, None, None));
    assert_eq!((queued.queue_latency(), queued.execution_time()), (None, None));

    let running = runtime.run(&gate(), 1.into()).start().await.unwrap().get().await.unwrap();
    assert!(running.assigned_at.is_some() && running.started_at.is_some());
    assert_eq!((running.finished_at, running.execution_time(), running.deadline), (None, None, None));
    let task = &running.tasks[0];
    assert!(task.started_at.is_some() && task.attempts[0].finished_at.is_none());
    assert_eq!((task.finished_at, task.execution_time()), (None, None));
}

async fn a_run_from_the_queue_was_assigned_before_it_started(ground: impl Ground) {
    let client = ground.builder().start().await.unwrap();
    let run = client.run(&gate(), 1.into()).start().await.unwrap();
    let before = ground.now().await;
    let _node = ground.builder().workflow(gate()).start().await.unwrap();
    until("it runs", async || run.get().await.unwrap().started_at.is_some()).await;
    let after = ground.now().await;

    let view = run.get().await.unwrap();
    assert_ascend(&[
        ("created", view.created_at),
        ("a node came", before),
        ("assigned", view.assigned_at.unwrap()),
        ("started", view.started_at.unwrap()),
        ("seen", after),
    ]);
    assert!(view.assigned_at < view.started_at, "the claim came before the start");
}

async fn attempts_have_their_own_instants(ground: impl Ground) {
    let wait = Duration::from_millis(300);
    let flaky = Workflow::function("flaky", |cx: Cx, (): ()| async move {
        if cx.attempt() == 1 { Err(anyhow::anyhow!("not yet")) } else { Ok(cx.attempt()) }
    });
    let flaky = flaky.retry(Retry::fixed(wait).jitter(0.0));
    let runtime = ground.builder().workflow(flaky.clone()).start().await.unwrap();
    let run = runtime.run(&flaky, ()).start().await.unwrap();
    assert_eq!(soon("its output", run.output()).await.unwrap(), 2);

    let view = run.get().await.unwrap();
    let [first, second] = view.tasks[0].attempts.as_slice() else { panic!("{view:?}") };
    assert_eq!((view.retries, first.number, second.number), (1, 1, 2));
    assert_eq!(second.created_at, first.finished_at.unwrap());
    assert!(
        second.queued_until - second.created_at > chrono::TimeDelta::milliseconds(100),
        "the retry's wait"
    );
    assert!(second.started_at >= second.queued_until, "the retry came early");
    assert_eq!(view.tasks[0].started_at, Some(first.started_at));
    assert_eq!(view.tasks[0].finished_at, second.finished_at);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_row_has_the_instants_of_the_log() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let run = runtime.run(&echo(), json("1")).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();

    let row = sqlx::query_as("select created_at, started_at, finished_at from runlog.runs");
    let row: (Timestamp, Timestamp, Timestamp) = row.fetch_one(&ground.pool).await.unwrap();

    let view = run.get().await.unwrap();
    assert_eq!(row, (view.created_at, view.started_at.unwrap(), view.finished_at.unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_takes_long_says_so() {
    let ground = Postgres::new().await;
    let slow = Workflow::function("slow", |cx: Cx, (): ()| async move {
        cx.step("slow", || async {
            tokio::time::sleep(Duration::from_millis(40)).await;
            Ok::<_, CxError>(())
        })
        .await
    });
    let runtime = ground.builder().workflow(slow.clone()).start().await.unwrap();
    let run = runtime.run(&slow, ()).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();

    let view = run.get().await.unwrap();
    let step = &view.tasks[0].steps[0];
    let took = step.finished_at.unwrap() - step.started_at.unwrap();
    assert!(took >= chrono::TimeDelta::milliseconds(40), "{took}");
    assert!(step.started_at.unwrap() >= view.started_at.unwrap());
}
