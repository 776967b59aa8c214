//! What a node committed itself is folded at its commit, and need not be read back; what was not, is read.

use runlog::telemetry::spans::{AtCreation, Ratio};

use super::*;

/// A node whose exporter looks seldom, unless there is enough to send.
async fn seldom(ground: &Postgres, backend: &Receiver, sampled: AtCreation) -> Runtime {
    let export = Export::otlp(Otlp::http(backend.http())).interval(Duration::from_secs(60)).sample(sampled);
    // Long, so that a busy machine is not taken for a dead process: the next exporter would read everything.
    let builder = node(ground.builder()).lease(Duration::from_secs(10));
    let runtime = builder.workflow(long()).export(export).start().await.unwrap();
    exported(&runtime).await;
    runtime
}

/// Spoils every log: whoever reads one sees that it cannot.
async fn spoil(ground: &Postgres) {
    let spoil = "begin;
        set local session_replication_role = replica;
        update runlog.events set payload = 'nobody can read this';
        commit";
    ground.psql(spoil).await.unwrap();
}

/// Of these there is more than `EXPORT_WAITING_BYTES_MAX`, twice.
const LARGE: u32 = 600;

/// A node that committed more than finds room while its backend was away: runs whose spans take 64 KB each.
async fn overfull() -> (Postgres, Receiver, Runtime) {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let runtime = seldom(&ground, &backend, AtCreation::Always).await;
    backend.go_away().await;
    let metadata: Vec<(String, String)> = (0..32).map(|n| (format!("m{n}"), "x".repeat(1_024))).collect();
    for _ in 0..LARGE {
        let metadata = metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        runtime.run(&long(), 0).metadata(metadata).start().await.unwrap();
    }
    finished(&ground).await;
    (ground, backend, runtime)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_committed_itself_is_not_read_back() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let runtime = seldom(&ground, &backend, AtCreation::Always).await;
    orders(&runtime, 2).await;
    finished(&ground).await;
    let expected = with_children(&runtime, &all_runs(&ground).await).await;
    assert_eq!(backend.spans(), [], "nothing was exported so far");
    spoil(&ground).await;

    runtime.shutdown(PATIENCE).await.unwrap();

    assert_eq!(by_id(backend.spans()), expected);
    assert_eq!(sent_twice(&backend), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_is_it_to_find_that_a_child_run_is_sampled_as_its_parent() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let called = AtCreation::Caller { or: Ratio::NONE };
    let runtime = seldom(&ground, &backend, called).await;
    let sampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let called = runtime.run(&order(), 2).traceparent(sampled).start().await.unwrap().id();
    runtime.run(&order(), 2).start().await.unwrap();
    finished(&ground).await;
    let expected = with_children(&runtime, &[called]).await;
    spoil(&ground).await;

    runtime.shutdown(PATIENCE).await.unwrap();

    assert_eq!(by_id(backend.spans()), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_finds_no_room_is_read_from_the_log() {
    let (ground, backend, runtime) = overfull().await;

    backend.come_back().await;

    assert_shown(&backend, &runtime, &all_runs(&ground).await).await;
    assert_eq!(sent_twice(&backend), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_room_for_so_much() {
    let (ground, backend, runtime) = overfull().await;
    spoil(&ground).await;

    backend.come_back().await;

    exported(&runtime).await;
    let missed = runtime.export_lag().await.unwrap().refused;
    let shown: BTreeSet<TraceId> = backend.spans().iter().map(|span| span.trace_id).collect();
    // Any run may be missed whose row was read before its commit was folded, but those are few.
    assert!(missed > u64::from(LARGE / 4), "it missed {missed} of {LARGE} runs");
    assert!(shown.len() > LARGE as usize / 4, "it kept {} of {LARGE} runs", shown.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enough_spans_are_not_waited_with() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let runtime = seldom(&ground, &backend, AtCreation::Always).await;
    // 4 MiB: four requests of the largest size.
    for _ in 0..160 {
        runtime.run(&long(), 160).start().await.unwrap();
    }

    backend.until("spans, long before the next look", |taken| !taken.is_empty()).await;
}
