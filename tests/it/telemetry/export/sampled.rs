//! Which runs are exported.

use runlog::telemetry::spans::{AtCreation, AtEnd, Ratio};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_runs_that_fail_are_exported_each_as_a_whole_at_its_end() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let failed = AtEnd { failed: true, ..AtEnd::default() };
    let runtime = node(ground.builder()).export(export(&backend).only(failed)).start().await.unwrap();
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
    let mut spans = ById::new();
    for run in expected {
        spans.extend(by_id(derived(&runtime, run).await));
    }
    assert_eq!(by_id(backend.spans()), spans);
    assert_eq!(runtime.get(waits.id()).await.unwrap().expect("a run").status, Status::Running);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_the_ratio_leaves_out_are_not_exported() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let none = AtCreation::Ratio(Ratio::new(0.0).unwrap());
    let runtime = node(ground.builder()).export(export(&backend).sample(none)).start().await.unwrap();
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
