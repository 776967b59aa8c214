//! One run, started by code.

use std::collections::BTreeSet;
use std::time::Duration;

use runlog::model::Waiting;
use runlog::model::event::Trigger;
use runlog::{RunId, Status, Workflow};

use crate::support::{Ground, Postgres, echo, gate, json, on_both, soon, until};

on_both! {
    a_started_run_gives_its_output
    a_start_by_name_is_the_same_as_by_code
    everything_a_run_is_started_with_is_recorded
    a_run_keeps_the_version_it_started_with
    a_delayed_run_does_not_start_early
    a_signal_does_not_start_a_delayed_run_early
    more_runs_than_fit_in_memory_wait_and_finish
}

async fn a_started_run_gives_its_output(ground: impl Ground) {
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();

    let run = runtime.run(&echo(), json("[1]")).start().await.unwrap();

    assert_eq!(soon("its output", run.output()).await.unwrap().get(), "[1]");
    assert_eq!(run.get().await.unwrap().status, Status::Succeeded);
}

async fn a_start_by_name_is_the_same_as_by_code(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();

    let code = runtime.run(&gate(), "in".into()).metadata([("a", "b")]).start().await.unwrap();
    let name = runtime.run_by_name("gate", r#""in""#).metadata([("a", "b")]).start().await.unwrap();

    let (code, name) = (code.get().await.unwrap(), name.get().await.unwrap());
    assert_eq!(
        (&code.workflow, &code.version, &code.input, &code.metadata, &code.trigger, code.priority),
        (&name.workflow, &name.version, &name.input, &name.metadata, &name.trigger, name.priority)
    );
}

async fn everything_a_run_is_started_with_is_recorded(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let start_at = ground.now().await + chrono::TimeDelta::hours(2);
    let trigger = Trigger::Cron { schedule: "nightly".to_owned(), due: start_at, by: None };

    let run = runtime
        .run(&gate(), "in".into())
        .namespace("tenant")
        .key("order-1")
        .metadata([("team", "payments")])
        .metadata([("city", "Ærø")])
        .priority(-7)
        .start_at(start_at)
        .timeout(Duration::from_secs(90))
        .start_timeout(Duration::from_secs(3 * 3600))
        .trigger(trigger.clone())
        .start()
        .await
        .unwrap();

    let view = run.get().await.unwrap();
    assert_eq!(view.namespace.as_str(), "tenant");
    assert_eq!(view.key.as_ref().unwrap().as_str(), "order-1");
    let metadata: Vec<_> =
        view.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(metadata, [("city", "Ærø"), ("team", "payments")]);
    assert_eq!((view.priority, view.queued_until, &view.trigger), (-7, start_at, &trigger));
    assert_eq!(view.timeout, Some(Duration::from_secs(90)));
    assert_eq!(view.deadline, view.start_deadline);
    let start_deadline = view.start_deadline.unwrap() - view.created_at;
    assert!((start_deadline - chrono::TimeDelta::hours(3)).abs() < chrono::TimeDelta::seconds(1));
    assert_eq!((view.workflow.as_str(), view.version.as_str()), ("gate", "1"));
    assert_eq!((view.status, view.parent), (Status::Queued, None));
}

async fn a_run_keeps_the_version_it_started_with(ground: impl Ground) {
    let old = Workflow::function("versioned", |cx: runlog::Cx, (): ()| async move {
        cx.signal::<()>("go").await?;
        Ok::<_, runlog::CxError>("old".to_owned())
    });
    let new = Workflow::function("versioned", |_: runlog::Cx, (): ()| async { anyhow::Ok("new".to_owned()) });
    let new = new.version("2");
    let first = ground.builder().workflow(old.clone()).start().await.unwrap();
    let run = first.run(&old, ()).start().await.unwrap().id();
    first.shutdown(Duration::ZERO).await.unwrap();

    let second = ground.builder().workflow(old).workflow(new.clone()).start().await.unwrap();
    second.signal(run, "go", &()).await.unwrap();

    let run = second.handle(run);
    assert_eq!(soon("the old run", run.output()).await.unwrap(), "old");
    assert_eq!(run.get().await.unwrap().version.as_str(), "1");
    let by_name = second.run_by_name("versioned", "null").start().await.unwrap();
    assert_eq!(soon("the new run", by_name.output()).await.unwrap(), "new");
    assert_eq!(by_name.get().await.unwrap().version.as_str(), "2");
}

async fn a_delayed_run_does_not_start_early(ground: impl Ground) {
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();

    let run = runtime.run(&echo(), json("1")).delay(Duration::from_secs(2)).start().await.unwrap();

    let view = run.get().await.unwrap();
    assert_eq!((view.status, view.started_at), (Status::Queued, None));
    assert_eq!(view.waiting, [Waiting::Start { at: view.queued_until }]);
    soon("its output", run.output()).await.unwrap();
    let view = run.get().await.unwrap();
    assert!(view.queued_until - view.created_at >= chrono::TimeDelta::seconds(2));
    assert!(view.started_at.unwrap() >= view.queued_until, "it started early");
    let waited = (view.started_at.unwrap() - view.queued_until).to_std().unwrap();
    assert_eq!(view.queue_latency(), Some(waited), "it counts from when it may start");
}

async fn a_signal_does_not_start_a_delayed_run_early(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let run = runtime.run(&gate(), 0.into()).delay(Duration::from_millis(700)).start().await.unwrap();

    run.signal("go", &"early").await.unwrap();

    assert_eq!(soon("its output", run.output()).await.unwrap(), "early");
    let view = run.get().await.unwrap();
    assert!(view.started_at.unwrap() >= view.queued_until, "the signal started it early");
}

async fn more_runs_than_fit_in_memory_wait_and_finish(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).live_runs(4).start().await.unwrap();
    let mut runs = Vec::new();
    for _ in 0..40 {
        runs.push(runtime.run(&gate(), 0.into()).start().await.unwrap());
        assert!(runtime.live_runs() <= 4, "{} runs are live", runtime.live_runs());
    }

    for run in &runs {
        run.signal("go", &"done").await.unwrap();
    }

    for run in &runs {
        assert_eq!(soon("a run that waited for room", run.output()).await.unwrap(), "done");
        assert!(runtime.live_runs() <= 4, "{} runs are live", runtime.live_runs());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_of_ids_is_the_order_of_creation_under_concurrent_starts() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let starter = async |_: usize| {
        let mut mine: Vec<RunId> = Vec::new();
        for _ in 0..25 {
            mine.push(runtime.run(&echo(), json("1")).start().await.unwrap().id());
        }
        mine
    };

    let ids = futures_util::future::join_all((0..8).map(starter)).await;

    assert!(ids.iter().all(|mine| mine.is_sorted()), "one starter's ids ascend");
    assert_eq!(ids.concat().iter().collect::<BTreeSet<_>>().len(), 200);
    let disorder = "select count(*) from (select created_at < lag(created_at) over (order by id) as before
                    from runlog.runs) o where before";
    assert_eq!(ground.count(disorder).await, 0);
    assert_eq!(ground.count("select count(*) from runlog.runs").await, 200);
    assert!(ground.count("select count(distinct created_at) from runlog.runs").await > 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_started_elsewhere_runs_where_its_code_is() {
    let ground = Postgres::new().await;
    let client = ground.builder().start().await.unwrap();
    let run = client.run(&echo(), json("7")).start().await.unwrap();
    let waiting = run.get().await.unwrap().waiting.iter().map(Waiting::to_string).collect::<Vec<_>>();
    assert_eq!(waiting, ["a node that serves workflow echo version 1: none that lives does"]);

    let server = ground.builder().workflow(echo()).start().await.unwrap();

    assert_eq!(soon("its output", run.output()).await.unwrap().get(), "7");
    until("the server let it go", async || server.live_runs() == 0).await;
}
