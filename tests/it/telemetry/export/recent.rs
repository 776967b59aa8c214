//! What a node committed itself, its exporter need not read back; what it does not have, it reads.

use super::*;

/// An export that looks seldom, unless there is enough to send.
async fn seldom(ground: &Postgres, backend: &Receiver) -> Runtime {
    let export = Export::otlp(Otlp::http(backend.http())).interval(Duration::from_secs(60));
    let builder = node(ground.builder()).workflow(steps(0)).workflow(steps(LARGE)).export(export);
    let runtime = builder.start().await.unwrap();
    exported(&runtime).await;
    runtime
}

/// Bytes of a large output: with twenty of them there is more than an exporter keeps, see `EXPORT_RECENT_BYTES_MAX`.
const LARGE: usize = 1_000_000;

/// Steps with outputs of so many bytes.
fn steps(bytes: usize) -> Workflow<u32, u32> {
    Workflow::function(&format!("steps_of_{bytes}"), move |cx: Cx, steps: u32| async move {
        for _ in 0..steps {
            cx.step("step", || std::future::ready(anyhow::Ok("x".repeat(bytes)))).await?;
        }
        Ok::<_, CxError>(steps)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_committed_itself_is_not_read_back() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let runtime = seldom(&ground, &backend).await;
    orders(&runtime, 2).await;
    finished(&ground).await;
    let mut expected = ById::new();
    for run in all_runs(&ground).await {
        expected.extend(by_id(derived(&runtime, run).await));
    }
    assert_eq!(backend.spans(), [], "nothing was exported so far");
    let spoil = "begin;
        set local session_replication_role = replica;
        update runlog.events set payload = 'nobody can read this';
        commit";
    ground.psql(spoil).await.unwrap();

    runtime.shutdown(PATIENCE).await.unwrap();

    assert_eq!(by_id(backend.spans()), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_finds_no_room_is_read_from_the_log() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let runtime = seldom(&ground, &backend).await;
    let run = runtime.run(&steps(LARGE), 20).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();

    runtime.shutdown(PATIENCE).await.unwrap();

    let reads = node(ground.builder()).client().start().await.unwrap();
    assert_eq!(by_id(backend.spans()), by_id(derived(&reads, run.id()).await));
    assert_eq!(sent_twice(&backend), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enough_events_are_not_waited_with() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let runtime = seldom(&ground, &backend).await;
    // More than 16,384 events: four times EXPORT_EVENTS_PER_READ.
    for _ in 0..128 {
        runtime.run(&steps(0), 128).start().await.unwrap();
    }

    backend.until("spans, long before the next look", |taken| !taken.is_empty()).await;
}
