//! Limits of concurrency by key, over nodes.

use std::time::Duration;

use runlog::model::Waiting;
use runlog::workflow::BuildError;
use runlog::{
    CancelOptions, Concurrency, Cx, Error, RunHandle, Runtime, Schedule, Status, Subscription, TriggerEvent,
    Workflow,
};
use serde_json::{Value, json};

use crate::support::{Ground, on_both, soon, until};

/// Waits for the signal `go`; at most two of a tenant at once.
fn import(limit: Concurrency<Value>) -> Workflow<Value, String> {
    let code =
        |cx: Cx, _: Value| async move { anyhow::Ok(cx.signal::<String>("go").await?.unwrap_or_default()) };
    Workflow::function("import", code).concurrency(limit)
}

const HOUR: Duration = Duration::from_secs(3_600);

fn two() -> Concurrency<Value> {
    Concurrency::limit("tenant", 2).by_input("/tenant")
}

async fn start(node: &Runtime, tenant: &str) -> RunHandle<String> {
    node.run(&import(two()), json!({ "tenant": tenant })).start().await.expect("a run")
}

async fn until_it_runs(run: &RunHandle<String>) {
    until("it runs", async || run.get().await.expect("a view").status == Status::Running).await;
}

on_both! {
    no_more_runs_of_a_key_run_than_the_limit_says
    a_run_that_waits_says_for_which_limit
    a_run_that_waits_for_its_rate_says_until_when
    what_comes_again_within_a_window_is_dropped
    a_cancelled_run_gives_its_slot_on
    a_newer_run_takes_the_place_of_the_oldest
    a_run_that_finds_no_slot_is_cancelled
    a_key_may_come_from_the_metadata_or_from_code
    a_run_without_a_key_fails_and_says_why
    child_runs_are_under_their_limit
    what_a_schedule_or_an_event_starts_is_under_its_limit
}

async fn no_more_runs_of_a_key_run_than_the_limit_says(ground: impl Ground) {
    let node = ground.builder().workflow(import(two())).park_after(Duration::from_millis(1));
    let node = node.start().await.expect("a node");
    let mut acme = Vec::new();
    for _ in 0..4 {
        acme.push(start(&node, "acme").await);
    }
    let zoo = start(&node, "zoo").await;
    until_it_runs(&zoo).await;
    for run in &acme[..2] {
        until_it_runs(run).await;
    }
    // They wait for a signal, out of memory, and keep their slots all the same.
    until("they are parked", async || node.live_runs() == 0).await;
    for run in &acme[2..] {
        assert_eq!(run.get().await.expect("a view").status, Status::Queued);
    }
    node.signal(acme[0].id(), "go", &"on").await.expect("a signal");
    assert_eq!(soon("its end", acme[0].wait()).await.expect("an end"), Status::Succeeded);
    until_it_runs(&acme[2]).await;
    assert_eq!(acme[3].get().await.expect("a view").status, Status::Queued);
}

async fn a_run_that_waits_says_for_which_limit(ground: impl Ground) {
    let node = ground.builder().workflow(import(two())).start().await.expect("a node");
    for _ in 0..2 {
        until_it_runs(&start(&node, "acme").await).await;
    }
    let third = start(&node, "acme").await;
    let limit = Waiting::Limit {
        name: "tenant".to_owned(),
        key: "acme".to_owned(),
        running: 2,
        slots: Some(2),
        until: None,
    };
    assert_eq!(third.get().await.expect("a view").waiting, [limit]);
    let why = node.why(third.id()).await.expect("an answer").expect("a run");
    let said = why.headline();
    assert!(
        said.starts_with("import: waits for limit `tenant` of key `acme`: 2 of 2 running since "),
        "{said}"
    );
    let keys = node.limit_keys("import", None).await.expect("keys");
    assert_eq!((keys[0].key.as_str(), keys[0].running, keys[0].waiting), ("acme", 2, 1));
    assert_eq!(node.limits(None).await.expect("limits")[0].limit.slots, 2);
}

async fn a_run_that_waits_for_its_rate_says_until_when(ground: impl Ground) {
    let hourly = || import(Concurrency::rate("tenant", 1, HOUR).by_input("/tenant"));
    let node = ground.builder().workflow(hourly()).start().await.expect("a node");
    let start = async || node.run(&hourly(), json!({ "tenant": "acme" })).start().await.expect("a run");
    let first = start().await;
    until_it_runs(&first).await;
    let second = start().await;
    let waiting = second.get().await.expect("a view").waiting;
    let [Waiting::Limit { running: 1, until: Some(until), .. }] = &waiting[..] else { panic!("{waiting:?}") };
    assert!(*until > second.get().await.expect("a view").created_at + HOUR / 2, "{until}");
    let why = node.why(second.id()).await.expect("an answer").expect("a run");
    let said = why.headline();
    let says = "import: waits for limit `tenant` of key `acme`, whose rate lets the next start at ";
    assert!(said.starts_with(says), "{said}");
    assert!(waiting[0].to_string().contains(", whose rate lets the next start at "), "{}", waiting[0]);
    let rate = node.limits(None).await.expect("limits")[0].limit.rate.expect("a rate");
    assert_eq!((rate.starts, rate.window), (1, HOUR));
}

async fn what_comes_again_within_a_window_is_dropped(ground: impl Ground) {
    let once = || import(Concurrency::rate("tenant", 1, HOUR).by_input("/tenant").cancel_newest());
    let node = ground.builder().workflow(once()).start().await.expect("a node");
    let start =
        async |tenant: &str| node.run(&once(), json!({ "tenant": tenant })).start().await.expect("a run");
    let first = start("acme").await;
    node.signal(first.id(), "go", &"on").await.expect("a signal");
    assert_eq!(soon("its end", first.wait()).await.expect("an end"), Status::Succeeded);
    let again = start("acme").await;
    assert_eq!(soon("its end", again.wait()).await.expect("an end"), Status::Cancelled);
    let said = node.why(again.id()).await.expect("an answer").expect("a run").headline();
    assert!(said.contains("limit `tenant` of key `acme` lets 1 start in 3600 s, as many as did"), "{said}");
    until_it_runs(&start("zoo").await).await;
}

async fn a_cancelled_run_gives_its_slot_on(ground: impl Ground) {
    let node = ground.builder().workflow(import(two())).start().await.expect("a node");
    let runs = [start(&node, "acme").await, start(&node, "acme").await, start(&node, "acme").await];
    until_it_runs(&runs[1]).await;
    let waiting = start(&node, "acme").await;
    node.cancel(waiting.id(), CancelOptions::default()).await.expect("cancelled");
    assert_eq!(soon("its end", waiting.wait()).await.expect("an end"), Status::Cancelled);
    node.cancel(runs[0].id(), CancelOptions::default()).await.expect("cancelled");
    until_it_runs(&runs[2]).await;
}

async fn a_newer_run_takes_the_place_of_the_oldest(ground: impl Ground) {
    let one = || import(Concurrency::limit("tenant", 1).by_input("/tenant").cancel_oldest());
    let node = ground.builder().workflow(one()).start().await.expect("a node");
    let start = async || node.run(&one(), json!({ "tenant": "acme" })).start().await.expect("a run");
    let old = start().await;
    until_it_runs(&old).await;
    let new = start().await;
    assert_eq!(soon("its end", old.wait()).await.expect("an end"), Status::Cancelled);
    until_it_runs(&new).await;
    let said = node.why(old.id()).await.expect("an answer").expect("a run").headline();
    assert!(said.contains("limit `tenant` of key `acme` has 1 slots, and a newer run needs one"), "{said}");
}

async fn a_run_that_finds_no_slot_is_cancelled(ground: impl Ground) {
    let one = || import(Concurrency::limit("tenant", 1).by_input("/tenant").cancel_newest());
    let node = ground.builder().workflow(one()).start().await.expect("a node");
    let start =
        async |tenant: &str| node.run(&one(), json!({ "tenant": tenant })).start().await.expect("a run");
    let first = start("acme").await;
    until_it_runs(&first).await;
    let second = start("acme").await;
    assert_eq!(soon("its end", second.wait()).await.expect("an end"), Status::Cancelled);
    assert_eq!(second.get().await.expect("a view").started_at, None);
    until_it_runs(&start("zoo").await).await;
    assert_eq!(first.get().await.expect("a view").status, Status::Running);
}

async fn a_key_may_come_from_the_metadata_or_from_code(ground: impl Ground) {
    let by_code = Concurrency::limit("size", 1).by(|input: Value| input["rows"].to_string());
    let node = ground.builder().workflow(import(by_code)).start().await.expect("a node");
    let of = async |rows: u32| {
        let by_code = Concurrency::limit("size", 1).by(|input: Value| input["rows"].to_string());
        node.run(&import(by_code), json!({ "rows": rows })).start().await.expect("a run")
    };
    let (one, again, two) = (of(1).await, of(1).await, of(2).await);
    until_it_runs(&one).await;
    until_it_runs(&two).await;
    assert_eq!(again.get().await.expect("a view").status, Status::Queued);
    let elsewhere = ground.builder().client().start().await.expect("a client");
    let answer = elsewhere.run_by_name("import", "{}").start().await;
    assert!(matches!(&answer, Err(Error::Field { field: "workflow", .. })), "{answer:?}");

    let by_team = || Concurrency::limit("team", 1).by_metadata("team");
    let other = ground.builder().workflow(import(by_team())).start().await.expect("a node");
    let run = other.run(&import(by_team()), Value::Null).metadata([("team", "red")]);
    until_it_runs(&run.start().await.expect("a run")).await;
    // Whoever has not the code finds the key, too.
    let run = elsewhere.run_by_name("import", "{}").metadata([("team", "red")]).start().await.expect("a run");
    let Some(Waiting::Limit { key, .. }) = run.get().await.expect("a view").waiting.into_iter().next() else {
        panic!("it is not held back")
    };
    assert_eq!(key, "red");
}

async fn a_run_without_a_key_fails_and_says_why(ground: impl Ground) {
    let node = ground.builder().workflow(import(two())).start().await.expect("a node");
    for (input, says) in [
        (json!({}), "the input has nothing at \"/tenant\""),
        (json!({ "tenant": { "id": 1 } }), "the input has an object at \"/tenant\""),
        (json!({ "tenant": "x".repeat(600) }), "it has 600 bytes, the limit is 512"),
    ] {
        let run = node.run(&import(two()), input).start().await.expect("a run");
        assert_eq!(soon("its end", run.wait()).await.expect("an end"), Status::Failed);
        let why = node.why(run.id()).await.expect("an answer").expect("a run");
        assert!(why.headline().contains(says), "{}", why.headline());
    }
}

async fn child_runs_are_under_their_limit(ground: impl Ground) {
    let family = || {
        Workflow::function("family", |cx: Cx, _: Value| async move {
            let one = cx.child(&import(two()), json!({ "tenant": "acme" }));
            let two_ = cx.child(&import(two()), json!({ "tenant": "acme" }));
            let three = cx.child(&import(two()), json!({ "tenant": "acme" }));
            let (a, b, c) = tokio::join!(one, two_, three);
            anyhow::Ok(format!("{}{}{}", a?, b?, c?))
        })
    };
    let node = ground.builder().workflow(import(two())).workflow(family()).start().await.expect("a node");
    let run = node.run(&family(), Value::Null).start().await.expect("a run");
    let mut signalled = std::collections::BTreeSet::new();
    until("all children had their turn", async || {
        let children = run.get().await.expect("a view").children;
        let running = children.iter().filter(|(_, _, status)| *status == Status::Running);
        let running: Vec<_> = running.map(|(child, ..)| *child).collect();
        assert!(running.len() <= 2, "{running:?}");
        for child in running {
            if signalled.insert(child) {
                node.signal(child, "go", &"x").await.expect("a signal");
            }
        }
        signalled.len() == 3
    })
    .await;
    assert_eq!(soon("its output", run.output()).await.expect("an output"), "xxx");
}

async fn what_a_schedule_or_an_event_starts_is_under_its_limit(ground: impl Ground) {
    let acme = Schedule::cron("yearly", "0 0 1 1 *", &import(two()), json!({ "tenant": "acme" }));
    let node = ground.builder().workflow(import(two())).schedule(acme).start().await.expect("a node");
    for _ in 0..2 {
        until_it_runs(&start(&node, "acme").await).await;
    }
    // Whoever has not the code finds the key, too.
    let elsewhere = ground.builder().client().start().await.expect("a client");
    for at in [&node, &elsewhere] {
        let run = at.schedules().trigger("yearly", None).await.expect("a run");
        let waiting = run.get().await.expect("a view").waiting;
        assert!(matches!(&waiting[..], [Waiting::Limit { key, .. }] if key == "acme"), "{waiting:?}");
    }

    let subscription = Subscription::by_name("imports", "tenant.exported", "import");
    elsewhere.triggers().subscribe(subscription).await.expect("a subscription");
    let event = TriggerEvent::new("1", "tenant.exported", &json!({ "tenant": "acme" }));
    let pushed = elsewhere.push(event).await.expect("pushed");
    let run = pushed.outcomes[0].run.expect("a run");
    let waiting = elsewhere.get(run).await.expect("an answer").expect("a run").waiting;
    assert!(matches!(&waiting[..], [Waiting::Limit { key, .. }] if key == "acme"), "{waiting:?}");

    let by_code = Concurrency::limit("tenant", 2).by(|input: Value| input["tenant"].to_string());
    ground.builder().workflow(import(by_code)).start().await.expect("a node");
    let refusal = elsewhere.schedules().trigger("yearly", None).await.expect_err("a refusal");
    assert!(refusal.to_string().contains("limit `tenant` counts by code that is not here"), "{refusal}");
}

#[tokio::test]
async fn what_cannot_be_a_limit_is_refused() {
    let refusal = |limit: Concurrency<Value>| import(limit).check().expect_err("a refusal");
    for (limit, says) in [
        (Concurrency::limit("tenant", 0), "0 would never run anything"),
        (Concurrency::limit("tenant", 200_000), "1 to 100000"),
        (Concurrency::limit("", 1), "its name"),
        (Concurrency::rate("tenant", 0, HOUR), "0 starts are out of range, 1 to 10000"),
        (Concurrency::rate("tenant", 20_000, HOUR), "20000 starts are out of range"),
        (Concurrency::rate("tenant", 1, Duration::ZERO), "a window of 0ns: whole milliseconds, 1 to 31 days"),
        (Concurrency::rate("tenant", 1, HOUR * 24 * 32), "1 to 31 days"),
        (Concurrency::limit("tenant", 1).starts(1, Duration::from_micros(1_500)), "whole milliseconds"),
        (Concurrency::debounce("tenant", Duration::ZERO), "quiet for 0ns: whole milliseconds, 1 to 31 days"),
        (Concurrency::debounce("tenant", HOUR * 24 * 32), "1 to 31 days"),
        (Concurrency::debounce("tenant", Duration::from_micros(1_500)), "whole milliseconds"),
        (
            Concurrency::debounce("tenant", HOUR).max_wait(HOUR / 2),
            "a max_wait of 1800s: whole milliseconds, 3600s, for which a key must be quiet, to 31 days",
        ),
        (Concurrency::debounce("tenant", HOUR).max_wait(HOUR * 24 * 32), "to 31 days"),
        (Concurrency::limit("tenant", 1).max_wait(HOUR), "a max_wait without `debounced` bounds nothing"),
        (Concurrency::limit("tenant", 1).by_input("tenant"), "no JSON pointer"),
        (Concurrency::limit("tenant", 1).by_metadata(""), "no run can have the metadata"),
    ] {
        let error = refusal(limit);
        assert!(matches!(&error, BuildError::Limit { .. }) && error.to_string().contains(says), "{error}");
    }
    let patient = import(Concurrency::debounce("tenant", HOUR)).start_timeout(HOUR);
    let error = patient.check().expect_err("a refusal");
    assert!(error.to_string().contains("wait for 3600s, and their start_timeout is 3600s"), "{error}");
    let twice = import(two()).concurrency(two()).check().expect_err("a refusal");
    assert!(matches!(twice, BuildError::SecondLimit { .. }), "{twice}");
}
