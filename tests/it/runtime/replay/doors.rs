//! What a replay is, and what is refused at the door; on both stores.

use runlog::model::RunId;
use runlog::model::event::{ReplayFrom, Trigger};
use runlog::runtime::NotReplayable;
use runlog::{CancelOptions, Cx, Error, ReplayOptions, RunHandle, Runtime, Status, Workflow};
use serde_json::value::RawValue;

use super::Outside;
use crate::support::{Ground, Postgres, gate, json, on_both, soon};
use crate::workflow::{Counter, Infallible};

const INPUT: &str = r#"{ "b":123456789012345678901234567890, "a":[1.0,1e400] ,"a":null}"#;

/// Counts, then fails until the world outside is repaired, then gives its input back.
fn fragile(outside: &Outside, counter: &Counter) -> Workflow<Box<RawValue>, Box<RawValue>> {
    let (outside, counter) = (outside.clone(), counter.clone());
    Workflow::function("fragile", move |cx: Cx, input: Box<RawValue>| {
        let (outside, counter) = (outside.clone(), counter.clone());
        async move {
            cx.step("count", || async { Ok::<_, Infallible>(counter.hit()) }).await?;
            outside.ask()?;
            anyhow::Ok(input)
        }
    })
}

async fn failed<G: Ground>(ground: &G, outside: &Outside, counter: &Counter) -> (Runtime, RunId) {
    let w = fragile(outside, counter);
    let builder = ground.builder().workflow(w.clone()).workflow(gate());
    let runtime = builder.start().await.expect("a runtime");
    let run = runtime.run(&w, json(INPUT)).key("order-42").metadata([("team", "payments")]).priority(3);
    let run = run.start().await.expect("a run");
    assert_eq!(soon("its end", run.wait()).await.expect("an end"), Status::Failed);
    (runtime, run.id())
}

async fn ended(run: &RunHandle<serde_json::Value>) -> Status {
    soon("its end", run.wait()).await.expect("an end")
}

async fn a_replay_is_a_new_run_with_the_input_byte_for_byte(ground: impl Ground) {
    let (outside, counter) = (Outside::default(), Counter::default());
    let (runtime, run) = failed(&ground, &outside, &counter).await;
    outside.repair();
    let options = ReplayOptions::default().by("ada").reason("repaired");
    let replayed = runtime.replay(run, options).await.expect("a replay");
    let at_once = replayed.run.get().await.expect("every query shows it");
    assert_eq!(ended(&replayed.run).await, Status::Succeeded);

    let (view, original) = (replayed.run.get().await.unwrap(), runtime.get(run).await.unwrap().unwrap());
    assert!(replayed.created && view.id != run && at_once.id == view.id);
    assert_eq!(view.input.text(), INPUT);
    assert_eq!(view.output.as_ref().map(|output| output.text()), Some(INPUT));
    assert_eq!((view.key, original.key.as_ref().map(|key| key.as_str())), (None, Some("order-42")));
    assert_eq!((&view.metadata, view.priority), (&original.metadata, 3));
    assert_eq!((view.namespace, view.version), (original.namespace, original.version));
    let (by, reason, from) = (Some("ada".into()), Some("repaired".into()), Some(ReplayFrom::Failed));
    assert_eq!(view.trigger, Trigger::Replay { of: run, by, reason, from, trace: None });
    assert_eq!((view.replay_of, original.replay_of), (Some(run), None));
    assert_eq!((view.replays, original.replays), (vec![], vec![(view.id, Status::Succeeded)]));
    assert_eq!(counter.get(), 1);
    runtime.shutdown(Default::default()).await.unwrap();
}

async fn a_live_run_is_refused(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start().await.unwrap();
    let refused = run.replay(ReplayOptions::default().force()).await.expect_err("it lives");
    assert_eq!(
        refused.to_string(),
        format!("run {} cannot be replayed: it is RUNNING: wait for its end, or cancel it", run.id())
    );
    runtime.shutdown(Default::default()).await.unwrap();
}

async fn a_cancelled_run_is_refused_without_force(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start().await.unwrap();
    run.cancel(CancelOptions::default()).await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    let refused = run.replay(ReplayOptions::default()).await.expect_err("it was cancelled");
    assert!(matches!(refused, Error::NotReplayable { why: NotReplayable::Cancelled, .. }), "{refused}");
    let replay = run.replay(ReplayOptions::default().force()).await.unwrap().run;
    replay.signal("go", &"on").await.unwrap();
    assert_eq!(ended(&replay).await, Status::Succeeded);
    runtime.shutdown(Default::default()).await.unwrap();
}

async fn a_run_that_succeeded_is_replayed_only_from_a_place_that_is_named(ground: impl Ground) {
    let (outside, counter) = (Outside::default(), Counter::default());
    let (runtime, run) = failed(&ground, &outside, &counter).await;
    outside.repair();
    let done = runtime.replay(run, ReplayOptions::default()).await.unwrap().run;
    ended(&done).await;
    let refused = done.replay(ReplayOptions::default()).await.expect_err("nothing failed");
    assert!(matches!(refused, Error::NotReplayable { why: NotReplayable::Succeeded, .. }), "{refused}");
    let refused = done.replay(ReplayOptions::default().from_task("no such")).await.expect_err("no task");
    let told = "it has no task \"no such\": expected one of fragile";
    assert!(refused.to_string().ends_with(told), "{refused}");
    let again = done.replay(ReplayOptions::default().from_start()).await.unwrap().run;
    assert_eq!((ended(&again).await, counter.get()), (Status::Succeeded, 2));
    runtime.shutdown(Default::default()).await.unwrap();
}

async fn what_cannot_be_replayed_leaves_nothing_behind(ground: impl Ground) {
    let runtime = ground.builder().workflow(typed()).start().await.unwrap();
    let run = runtime.run(&typed(), 1).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    let options = ReplayOptions::default;
    let unknown = RunId::from_tick(1, 1);
    let refused = [
        (unknown, options(), "there is no run 00000000-0000-7001-8000-000000000000".to_owned()),
        (
            run.id(),
            options().input_json("\"x\""),
            "input: the JSON is not a u32: invalid type: string".into(),
        ),
        (run.id(), options().input_json("{"), "input: malformed JSON".into()),
        (run.id(), options().from_task(""), "the task's name is empty".into()),
        (
            run.id(),
            options().version("9"),
            "workflow \"typed 9\" is unknown: no node ever served it; this process serves typed 1".into(),
        ),
        (run.id(), options().reason("a\0b"), "reason: holds a NUL character".into()),
        (
            run.id(),
            options().id(run.id()),
            format!("id: run {0} exists and is no replay of run {0}", run.id()),
        ),
    ];
    for (run, options, told) in refused {
        let error = runtime.replay(run, options).await.expect_err(&told).to_string();
        assert!(error.contains(&told), "{error}, not {told}");
    }
    runtime.shutdown(Default::default()).await.unwrap();
}

fn typed() -> Workflow<u32, u32> {
    Workflow::function("typed", |_, _: u32| async { Err::<u32, _>(super::Broken) })
}

async fn a_replay_that_is_repeated_with_its_id_is_done_once(ground: impl Ground) {
    let (outside, counter) = (Outside::default(), Counter::default());
    let (runtime, run) = failed(&ground, &outside, &counter).await;
    outside.repair();
    let id =
        runtime.plan_replay(run, ReplayOptions::default()).await.map(|_| RunId::from_tick(run_tick(run), 7));
    let options = || ReplayOptions::default().id(id.as_ref().copied().expect("a plan"));
    let first = runtime.replay(run, options()).await.unwrap();
    assert!(first.created);
    let again = runtime.replay(run, options()).await.unwrap();
    assert_eq!((again.created, again.run.id()), (false, first.run.id()));
    assert_eq!(ended(&first.run).await, Status::Succeeded);
    let after = runtime.replay(run, options()).await.unwrap();
    assert!(!after.created, "nor after its end");
    assert_eq!(counter.get(), 1);
    runtime.shutdown(Default::default()).await.unwrap();
}

/// The run's creation in 1/4096 ms.
fn run_tick(run: RunId) -> u64 {
    (u64::try_from(run.created_at().timestamp_millis()).expect("after 1970") + 1) << 12
}

async fn a_client_replays_too_and_a_node_executes_it(ground: impl Ground) {
    let (outside, counter) = (Outside::default(), Counter::default());
    let (runtime, run) = failed(&ground, &outside, &counter).await;
    outside.repair();
    let client = ground.builder().client().start().await.unwrap();
    let replay = client.replay(run, ReplayOptions::default()).await.unwrap();
    assert_eq!(ended(&replay.run).await, Status::Succeeded);
    assert_eq!(counter.get(), 1);
    client.shutdown(Default::default()).await.unwrap();
    runtime.shutdown(Default::default()).await.unwrap();
}

on_both! {
    a_replay_is_a_new_run_with_the_input_byte_for_byte
    a_live_run_is_refused
    a_cancelled_run_is_refused_without_force
    a_run_that_succeeded_is_replayed_only_from_a_place_that_is_named
    what_cannot_be_replayed_leaves_nothing_behind
    a_replay_that_is_repeated_with_its_id_is_done_once
    a_client_replays_too_and_a_node_executes_it
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replays_log_in_postgres_is_sound() {
    let ground = Postgres::new().await;
    let (outside, counter) = (Outside::default(), Counter::default());
    let (runtime, run) = failed(&ground, &outside, &counter).await;
    let broken = runtime.replay(run, ReplayOptions::default()).await.unwrap().run;
    ended(&broken).await;
    outside.repair();
    for options in [ReplayOptions::default(), ReplayOptions::default().from_start()] {
        assert_eq!(ended(&broken.replay(options).await.unwrap().run).await, Status::Succeeded);
    }
    runtime.shutdown(Default::default()).await.unwrap();
    let scope = runlog::store::postgres::Scope { grace: Default::default(), ..Default::default() };
    let report = runlog::store::postgres::verify(&ground.pool, &scope).await.unwrap();
    assert!(report.holds() && report.runs == 4, "{report:?}");
}
