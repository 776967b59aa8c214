//! Which runs are exported.

use runlog::telemetry::spans::{AtCreation, AtEnd, Ratio};

use super::*;

/// None as they go.
fn none() -> AtCreation {
    AtCreation::Ratio(Ratio::new(0.0).unwrap())
}

/// Says that a backend shows these traces as the logs say, whole, and nothing else.
async fn assert_traces(backend: &Receiver, runtime: &Runtime, runs: &[RunId]) {
    let expected = with_children(runtime, runs).await;
    assert_eq!(by_id(backend.spans()), expected);
    for trace in expected.keys().map(|(trace, _)| *trace).collect::<BTreeSet<_>>() {
        assert_eq!(backend.trace(trace, None).warnings, [] as [&str; 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_ratio_of_0_traces_whose_first_run_fails_are_exported_whole_at_its_end() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let failed = AtEnd { failed: true, ..AtEnd::default() };
    let export = export(&backend).sample(none()).sample_ended(failed);
    let runtime = node(ground.builder()).export(export).start().await.unwrap();
    let waits = runtime.run(&gate(), 1.into()).start().await.unwrap();
    let mut expected = Vec::new();
    for n in 0..6 {
        let run = runtime.run(&order(), n).start().await.unwrap();
        if soon("its end", run.wait()).await.unwrap() == Status::Failed {
            expected.push(run.id());
        }
    }
    assert_eq!(expected.len(), 3);

    exported(&runtime).await;
    // With the items, which did not fail: a trace without them would have holes.
    assert_traces(&backend, &runtime, &expected).await;
    assert!(backend.spans().iter().any(|span| span.name == "run item"));
    assert_eq!(runtime.get(waits.id()).await.unwrap().expect("a run").status, Status::Running);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sampled_as_it_goes_is_not_exported_again_at_its_end() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let failed = AtEnd { failed: true, ..AtEnd::default() };
    let called = AtCreation::Caller { or: Ratio::new(0.0).unwrap() };
    let export = export(&backend).sample(called).sample_ended(failed);
    // Long, so that a busy machine is not taken for a dead process.
    let builder = node(ground.builder()).lease(Duration::from_secs(10));
    let runtime = builder.export(export).start().await.unwrap();
    exported(&runtime).await;
    let sampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let good = runtime.run(&order(), 2).traceparent(sampled).start().await.unwrap().id();
    let bad = runtime.run(&order(), 3).traceparent(sampled).start().await.unwrap().id();
    let uncalled = runtime.run(&order(), 5).start().await.unwrap().id();
    runtime.run(&order(), 4).start().await.unwrap();
    finished(&ground).await;

    exported(&runtime).await;
    assert_eq!(by_id(backend.spans()), with_children(&runtime, &[good, bad, uncalled]).await);
    let twice = sent_twice(&backend);
    let of = |run: RunId| twice.iter().any(|span| span.contains(&run.to_string()));
    assert!(!of(good) && !of(bad), "{twice:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ratio_keeps_whole_traces_or_nothing_of_them() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let ratio = Ratio::new(0.5).unwrap();
    let export = export(&backend).sample(AtCreation::Ratio(ratio));
    let runtime = node(ground.builder()).export(export).start().await.unwrap();
    exported(&runtime).await;
    let mut runs = Vec::new();
    for n in 0..24 {
        runs.push(runtime.run(&order(), n).start().await.unwrap().id());
    }
    finished(&ground).await;

    exported(&runtime).await;
    let kept = |run: &&RunId| ratio.keeps(runlog::telemetry::ids::run(**run, None).trace_id);
    let kept: Vec<RunId> = runs.iter().filter(kept).copied().collect();
    assert!(!kept.is_empty() && kept.len() < runs.len(), "{} of 24", kept.len());
    assert_traces(&backend, &runtime, &kept).await;
}

/// The flags that a run was told of its caller.
async fn told(runtime: &Runtime, run: RunId) -> Option<bool> {
    let trace = runtime.get(run).await.unwrap().expect("a run").trace;
    trace.map(|caller| caller.flags.is_sampled())
}

/// Passes on what it is told of its own place, and starts an item.
fn asks() -> Workflow<u32, String> {
    Workflow::function("asks", |cx: Cx, n: u32| async move {
        cx.child(&item(), n).await?;
        Ok::<_, CxError>(cx.traceparent())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_and_child_runs_are_told_whether_their_trace_is_sampled() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let half = AtCreation::Caller { or: Ratio::new(0.5).unwrap() };
    let builder = node(ground.builder()).workflow(asks()).export(export(&backend).sample(half));
    let runtime = builder.start().await.unwrap();
    let mut answers = BTreeSet::new();
    let callers = [
        (Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), Some(true)),
        (Some("00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"), Some(false)),
    ];
    for (caller, said) in callers.into_iter().chain([(None, None); 24]) {
        let start = runtime.run(&asks(), 1);
        let start = match caller {
            Some(caller) => start.traceparent(caller),
            None => start,
        };
        let run = start.start().await.unwrap();
        let parent: String = soon("its output", run.output()).await.unwrap();
        let child = runtime.get(run.id()).await.unwrap().expect("a run").children[0].0;
        let sampled = told(&runtime, child).await.expect("its place");
        assert_eq!(sampled, parent.ends_with("-01"), "{parent}");
        assert_eq!(
            sampled,
            half.place(run.id(), None).flags.is_sampled() && said.is_none() || said == Some(true)
        );
        answers.insert((said, sampled));
    }
    assert_eq!(answers.len(), 4, "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_of_a_run_that_is_left_out_are_too_whatever_their_node_was_told() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    // It knows of no sampling: what it starts is flagged as sampled.
    let executes = node(ground.builder()).start().await.unwrap();
    let called = AtCreation::Caller { or: Ratio::new(0.0).unwrap() };
    let exports = node(ground.builder()).client().export(export(&backend).sample(called));
    let exports = exports.start().await.unwrap();
    exported(&exports).await;
    let run = executes.run(&order(), 2).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    let child = executes.get(run.id()).await.unwrap().expect("a run").children[0].0;
    assert_eq!(told(&executes, child).await, Some(true));

    exported(&exports).await;
    assert_eq!(backend.spans(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_the_ratio_leaves_out_are_not_exported() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let runtime = node(ground.builder()).export(export(&backend).sample(none())).start().await.unwrap();
    exported(&runtime).await;
    orders(&runtime, 3).await;
    finished(&ground).await;

    exported(&runtime).await;
    assert_eq!(backend.spans(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_is_exported_as_its_caller_says_and_one_without_a_caller_by_the_ratio() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let called = AtCreation::Caller { or: Ratio::new(0.0).unwrap() };
    let runtime = node(ground.builder()).export(export(&backend).sample(called)).start().await.unwrap();
    let sampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let not = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let yes = runtime.run(&order(), 2).traceparent(sampled).start().await.unwrap();
    let no = runtime.run(&order(), 2).traceparent(not).start().await.unwrap();
    let uncalled = runtime.run(&order(), 2).start().await.unwrap();
    finished(&ground).await;
    exported(&runtime).await;

    // The child runs, too: a trace is exported as a whole or not at all.
    let traces: BTreeSet<String> = backend.spans().iter().map(|span| span.trace_id.to_string()).collect();
    assert_eq!(traces, BTreeSet::from(["0af7651916cd43dd8448eb211c80319c".to_owned()]));
    let shown = by_id(backend.spans());
    assert!(by_id(derived(&runtime, yes.id()).await).iter().all(|(id, span)| shown.get(id) == Some(span)));
    assert!(shown.values().any(|span| span.name == "run item"));
    for run in [no.id(), uncalled.id()] {
        assert_eq!(runtime.get(run).await.unwrap().expect("a run").status, Status::Succeeded);
    }
}
