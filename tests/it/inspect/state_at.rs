//! A run as it was after its first events.

use std::time::Duration;

use runlog::inspect::Change;
use runlog::model::evolve::fold;
use runlog::{Cx, CxError, Error, Status, Workflow};
use serde_json::value::RawValue;

use crate::support::{Ground, gate, json, on_both, soon, until};

on_both! {
    the_state_at_every_event_is_the_fold_of_the_log_up_to_it
    an_event_that_is_not_there_is_refused_with_the_range
    a_state_shows_payloads_byte_for_byte
    a_state_names_what_its_event_changed
    a_live_run_has_states_too
}

async fn the_state_at_every_event_is_the_fold_of_the_log_up_to_it(ground: impl Ground) {
    let steps = Workflow::function("steps", |cx: Cx, n: u32| async move {
        for step in 0..n {
            cx.step(&format!("s{step}"), || std::future::ready(Ok::<_, CxError>(step))).await?;
        }
        cx.sleep(Duration::from_millis(5)).await?;
        Ok::<_, CxError>(n)
    });
    let runtime = ground.builder().workflow(steps.clone()).start().await.unwrap();
    let run = runtime.run(&steps, 5).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    let log = runtime.events(run.id(), 0, 1_000).await.unwrap();
    assert!(log.len() > 10, "{}", log.len());

    for seq in 1..=log.len() {
        let at = runtime.state_at(run.id(), seq as u32).await.unwrap().unwrap();
        let folded = fold(run.id(), &log[..seq]).unwrap().unwrap();
        assert_eq!(at.state, folded);
        assert_eq!((at.seq as usize, at.kind, at.at), (seq, log[seq - 1].event.kind(), log[seq - 1].at));
        let read: serde_json::Value = serde_json::from_str(&at.json).unwrap();
        assert_eq!(read["seq"], seq);
        assert_eq!(at.changes.is_empty(), seq == 1, "every event but the first changes something");
    }
    let last = runtime.state_at(run.id(), log.len() as u32).await.unwrap().unwrap();
    assert_eq!(last.state.status, Status::Succeeded);
}

async fn an_event_that_is_not_there_is_refused_with_the_range(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start().await.unwrap();
    run.signal("go", &"on").await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    let last = run.get().await.unwrap().events;
    for seq in [0, last + 1, u32::MAX] {
        let refused = runtime.state_at(run.id(), seq).await.unwrap_err();
        let expected = format!("run {} has no event {seq}: its log has the events 1 to {last}", run.id());
        assert_eq!(refused.to_string(), expected);
        assert!(matches!(refused, Error::OutOfRange { .. }));
    }
}

async fn a_state_shows_payloads_byte_for_byte(ground: impl Ground) {
    let texts = [
        "123456789012345678901234567890123456789012345678901234567890",
        "1e400",
        "{\"z\": 1, \"a\": 0.10000000000000000000000001, \"z\": 3}",
        "[ 1 ,\t2,\n 3 ]",
    ];
    let keep = Workflow::function("keep", |cx: Cx, input: Box<RawValue>| async move {
        cx.step("keep", || std::future::ready(Ok::<_, CxError>(input.clone()))).await
    });
    let runtime = ground.builder().workflow(keep.clone()).start().await.unwrap();
    for text in texts {
        let run = runtime.run(&keep, json(text)).start().await.unwrap();
        soon("its end", run.wait()).await.unwrap();
        let events = run.get().await.unwrap().events;
        let at = runtime.state_at(run.id(), events).await.unwrap().unwrap();
        assert_eq!(at.json.matches(text).count(), 3, "input, step and output: {}", at.json);
    }
}

async fn a_state_names_what_its_event_changed(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start().await.unwrap();
    until("it waits", async || !run.get().await.unwrap().waiting.is_empty()).await;
    run.signal("go", &"on").await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    let log = runtime.events(run.id(), 0, 99).await.unwrap();
    let seq = log.iter().find(|recorded| recorded.event.kind() == "attempt_succeeded").unwrap().seq;

    let at = runtime.state_at(run.id(), seq).await.unwrap().unwrap();

    let change = |path: &str, before: &str, after: &str| Change {
        path: path.to_owned(),
        before: Some(before.to_owned()),
        after: Some(after.to_owned()),
    };
    let listed = &at.changes.listed;
    assert_eq!(at.changes.total, listed.len());
    assert!(listed.contains(&change("/tasks/0/status", "\"RUNNING\"", "\"SUCCEEDED\"")), "{listed:#?}");
    assert!(listed.contains(&change("/tasks/0/output", "null", "\"on\"")), "{listed:#?}");
    assert!(listed.contains(&change("/seq", &(seq - 1).to_string(), &seq.to_string())), "{listed:#?}");
    assert!(!listed.iter().any(|change| change.path.starts_with("/origin")), "{listed:#?}");
}

async fn a_live_run_has_states_too(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start().await.unwrap();
    let at = runtime.state_at(run.id(), 1).await.unwrap().unwrap();
    assert_eq!((at.state.status, at.kind), (Status::Queued, "run_created"));
}
