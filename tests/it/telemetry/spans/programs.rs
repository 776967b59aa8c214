//! Spans of programs that the engine ran, with crashes in between.

use std::collections::{BTreeMap, BTreeSet};

use runlog::model::limits::SPAN_EVENTS_MAX;
use runlog::model::{RunEvent, RunId, TaskEvent};
use runlog::telemetry::spans::{Span, Tracer};
use runlog::testing::Kit;
use runlog::{Cx, CxError, Workflow};

use super::rules::{assert_true, jaeger, spans_of};
use crate::model::samples::{created, of_task, op, payload, plan, recorded, run};
use crate::testing::program::{child, draw, workflow};
use crate::workflow::{Infallible, secs};

#[tokio::test(start_paused = true)]
async fn a_program_and_its_children_are_one_trace_across_crashes() -> anyhow::Result<()> {
    let w = workflow(|seed| draw(seed, true));
    let children = (1..100).map(|n| child(&format!("c{n}")));
    let builder = children.fold(Kit::builder().workflow(w.clone()), |kit, child| kit.workflow(child));
    let kit = builder.start().await?;
    for seed in 0..150 {
        kit.run(&w, &seed).await?;
    }
    for seconds in [1, 2, 9, 20, 40, 100_000] {
        kit.advance(secs(seconds)).await;
        kit.crash();
        kit.recover().await?;
    }
    let mut traces: BTreeMap<_, Vec<Span>> = BTreeMap::new();
    let mut moved = 0;
    for (run, log) in kit.histories().await? {
        assert_true(run, &log);
        for span in spans_of(run, &log) {
            moved += span.events.iter().filter(|event| event.name == "runlog.moved").count();
            traces.entry(span.trace_id).or_default().push(span);
        }
    }
    assert_eq!(traces.len(), 150, "a child is in its parent's trace");
    assert!(moved > 50, "attempts go on after a crash, {moved} times");
    let mut with_children = 0;
    for spans in traces.values() {
        assert_eq!(jaeger(spans, &BTreeMap::new()), [""; 0]);
        let roots = spans.iter().filter(|span| span.parent.is_none()).count();
        assert_eq!(roots, 1);
        let starts: BTreeSet<_> =
            spans.iter().filter(|span| span.name.starts_with("start ")).map(|span| span.span_id).collect();
        let links = spans.iter().filter(|span| span.name.starts_with("child ")).flat_map(|span| &span.links);
        for link in links {
            assert!(starts.contains(&link.to.span_id), "the child's start is linked");
            with_children += 1;
        }
    }
    assert!(with_children > 30, "{with_children} children");
    kit.crash();
    Ok(())
}

/// One attempt with so many steps, one after another.
fn long() -> Workflow<u32, u32> {
    Workflow::function("long", |cx: Cx, steps: u32| async move {
        for n in 0..steps {
            cx.step("one of many", || async move { Ok::<_, Infallible>(n) }).await?;
        }
        Ok::<_, CxError>(steps)
    })
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_steps_are_never_more_than_one_open_attempt() -> anyhow::Result<()> {
    let kit = Kit::builder().workflow(long()).start().await?;
    let run = kit.run(&long(), &10_000).await?;
    run.wait().await?;
    let (id, log) = kit.histories().await?.into_iter().next().expect("the run");
    let mut tracer = Tracer::new(id);
    let (mut spans, mut open) = (0, 0);
    for recorded in &log {
        spans += tracer.record(recorded).len();
        open = open.max(tracer.open());
    }
    assert_eq!((spans, open), (10_003, 1), "its steps, and start, attempt and run");
    kit.crash();
    Ok(())
}

#[test]
fn a_span_keeps_so_many_events_and_counts_the_rest() {
    let id: RunId = run(2);
    let begin = [
        RunEvent::from(created()).into(),
        RunEvent::from(runlog::model::event::RunStarted { plan: plan(), assigned_at: None }).into(),
        of_task("a", 1, runlog::model::event::AttemptStarted { deadline: None }),
    ];
    let tries = (0..100).map(|_| {
        of_task(
            "a",
            1,
            TaskEvent::from(runlog::model::event::StepFailed {
                op: op("charge"),
                input_hash: None,
                error: runlog::Failure::new("no", "x".repeat(20_000)),
                retry_at: Some(crate::model::samples::at(1)),
                allowed: None,
                us: 1,
            }),
        )
    });
    let end = of_task(
        "a",
        1,
        TaskEvent::from(runlog::model::event::StepCompleted {
            op: op("charge"),
            input_hash: None,
            output: payload("1"),
            us: 1,
        }),
    );
    let events = begin.into_iter().chain(tries).chain([end]);
    let log: Vec<_> = (1..).zip(events).map(|(seq, event)| recorded(seq, event)).collect();
    let step = spans_of(id, &log).pop().expect("the step");
    assert_eq!((step.events.len(), step.events_dropped), (SPAN_EVENTS_MAX, 68));
    assert!(format!("{step:?}").len() < 64 << 10, "far below what a request may hold");
}
