//! The exporter: what a backend holds in the end is what the logs say, span by span, whatever happened in between.

mod committed;
mod faults;
mod killed;
mod memory;
mod quiet;
mod sampled;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use runlog::model::{SpanId, TraceId};
use runlog::telemetry::otlp::Otlp;
use runlog::telemetry::spans::{Span, Tracer};
use runlog::{Cx, CxError, Export, Retry, RunId, Runtime, RuntimeBuilder, Status, Workflow};

use super::exposition::Exposition;
use super::receiver::Receiver;
use crate::support::{Ground, PATIENCE, Postgres, gate, soon, until};

/// Short, so that a takeover does not take long.
const LEASE: Duration = Duration::from_millis(900);
const INTERVAL: Duration = Duration::from_millis(20);

/// An export that looks often.
fn export(backend: &Receiver) -> Export {
    Export::otlp(Otlp::http(backend.http())).interval(INTERVAL)
}

/// A node with all workflows of these tests.
fn node(builder: RuntimeBuilder) -> RuntimeBuilder {
    builder.lease(LEASE).workflow(order()).workflow(item()).workflow(gate())
}

/// Steps of which one fails first, a wait, a child; an odd order fails for good.
fn order() -> Workflow<u32, u32> {
    Workflow::function("order", |cx: Cx, n: u32| async move {
        let tries = std::sync::atomic::AtomicU32::new(0);
        let reserve = || {
            let first = tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            std::future::ready(if first { Err(anyhow::anyhow!("sold out")) } else { Ok(n) })
        };
        let reserved: u32 =
            cx.step("reserve", reserve).retry(Retry::fixed(Duration::from_millis(2)).max_attempts(3)).await?;
        cx.sleep(Duration::from_millis(5)).await?;
        let item = cx.child(&item(), reserved).await?;
        if n % 2 == 1 {
            anyhow::bail!("odd orders are not shipped");
        }
        anyhow::Ok(item)
    })
}

fn item() -> Workflow<u32, u32> {
    Workflow::function("item", |cx: Cx, n: u32| async move {
        let packed = cx.step("pack", || std::future::ready(anyhow::Ok(n + 1))).await?;
        Ok::<_, CxError>(packed)
    })
}

/// So many steps.
fn long() -> Workflow<u32, u32> {
    Workflow::function("long", |cx: Cx, steps: u32| async move {
        for n in 0..steps {
            cx.step("step", || std::future::ready(anyhow::Ok(n))).await?;
        }
        Ok::<_, CxError>(steps)
    })
}

/// The spans of a run, as its log says.
async fn derived(runtime: &Runtime, run: RunId) -> Vec<Span> {
    let (mut tracer, mut spans) = (Tracer::new(run), Vec::new());
    loop {
        let events = runtime.events(run, tracer.seq(), 1_000).await.expect("a log");
        if events.is_empty() {
            return spans;
        }
        spans.extend(events.iter().flat_map(|event| tracer.record(event)));
    }
}

/// Every run of the database.
async fn all_runs(ground: &Postgres) -> Vec<RunId> {
    let ids: Vec<sqlx::types::Uuid> = sqlx::query_scalar(
        "select id from runlog.runs union select id from runlog.archived_runs order by id",
    )
    .fetch_all(&ground.pool)
    .await
    .expect("ids");
    ids.into_iter().map(|id| RunId::from_uuid(id).expect("an id")).collect()
}

type ById = BTreeMap<(TraceId, SpanId), Span>;

fn by_id(spans: impl IntoIterator<Item = Span>) -> ById {
    spans.into_iter().map(|span| ((span.trace_id, span.span_id), span)).collect()
}

/// The spans of runs and of the runs below them, as their logs say.
async fn with_children(runtime: &Runtime, runs: &[RunId]) -> ById {
    let (mut spans, mut waiting) = (ById::new(), runs.to_vec());
    while let Some(run) = waiting.pop() {
        spans.extend(by_id(derived(runtime, run).await));
        let children = runtime.get(run).await.unwrap().expect("a run").children;
        waiting.extend(children.iter().map(|(child, _, _)| *child));
    }
    spans
}

/// Waits until everything is exported, and says that a backend shows these runs as their logs say, and nothing else.
async fn assert_shown(backend: &Receiver, runtime: &Runtime, runs: &[RunId]) {
    assert_shown_but(backend, runtime, runs, &[]).await;
}

/// As [`assert_shown`], but for spans of these names.
async fn assert_shown_but(backend: &Receiver, runtime: &Runtime, runs: &[RunId], missing: &[&str]) {
    exported(runtime).await;
    let mut expected = ById::new();
    for run in runs {
        expected.extend(by_id(derived(runtime, *run).await));
    }
    let all = expected.len();
    expected.retain(|_, span| !missing.contains(&span.name.as_str()));
    assert_eq!(missing.is_empty(), all == expected.len(), "of {missing:?} there is something to miss");
    assert!(expected.len() >= runs.len());
    assert_eq!(by_id(backend.spans()), expected);
    let traces: BTreeSet<TraceId> = expected.keys().map(|(trace, _)| *trace).collect();
    let shown = traces.into_iter().map(|trace| backend.trace(trace, None));
    let shown: Vec<_> = shown.collect();
    assert_eq!(shown.iter().map(|trace| trace.spans.len()).sum::<usize>(), expected.len());
    if missing.is_empty() {
        let warnings: Vec<&String> = shown.iter().flat_map(|trace| &trace.warnings).collect();
        assert_eq!(warnings, [] as [&str; 0]);
    }
}

/// Names the spans that came more than once.
fn sent_twice(backend: &Receiver) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let again = backend.spans().into_iter().filter(|span| !seen.insert((span.trace_id, span.span_id)));
    again.map(|span| format!("{} of {:?}", span.name, span.attribute("runlog.run.id"))).collect()
}

/// Waits until everything that was committed is exported.
async fn exported(runtime: &Runtime) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let lag = runtime.export_lag().await.expect("a lag");
        if lag.commits == 0 && !lag.catches_up && lag.exporter.is_some() {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited too long for the export: {lag:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Starts orders; some of them fail.
async fn orders(runtime: &Runtime, count: u32) {
    for n in 0..count {
        runtime.run(&order(), n).start().await.expect("a run");
    }
}

/// Waits until all have ended, for as long as they get on: hundreds of steps take their time where a commit does.
async fn finished(ground: &Postgres) {
    let ended = async || {
        while ground.unfinished().await > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let mut seen = 0;
    while tokio::time::timeout(PATIENCE, ended()).await.is_err() {
        let events = ground.count("select count(*) from runlog.events").await;
        assert!(events > seen, "waited too long: no run gets on");
        seen = events;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_shown_while_it_runs_and_when_it_has_ended() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let runtime = node(ground.builder()).export(export(&backend)).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start().await.unwrap();

    backend.until("its start is shown", |taken| taken.iter().any(|one| one.span.name == "start gate")).await;
    assert_shown(&backend, &runtime, &[run.id()]).await;
    run.signal("go", &"on").await.unwrap();
    soon("its end", run.wait()).await.unwrap();

    assert_shown(&backend, &runtime, &[run.id()]).await;
    assert!(backend.spans().iter().any(|span| span.name == "run gate"));
    assert_eq!(backend.spans().len(), derived(&runtime, run.id()).await.len(), "each span once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_of_all_nodes_are_exported_by_one_of_them() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    // Long, so that a busy machine is not taken for a dead process.
    let node = |name: &str| node(ground.builder()).lease(Duration::from_secs(10)).node_name(name);
    let one = node("one").export(export(&backend)).start().await.unwrap();
    exported(&one).await;
    let other = node("other").export(export(&backend)).start().await.unwrap();

    orders(&one, 10).await;
    orders(&other, 10).await;
    finished(&ground).await;

    let runs = all_runs(&ground).await;
    assert_eq!(runs.len(), 40, "each order has an item");
    assert_shown(&backend, &one, &runs).await;
    assert_eq!(sent_twice(&backend), [] as [String; 0]);
    let (exporter, _) = other.export_lag().await.unwrap().exporter.expect("an exporter");
    assert_eq!(exporter, "one");

    one.shutdown(Duration::from_secs(5)).await.unwrap();
    orders(&other, 2).await;
    finished(&ground).await;
    assert_shown(&backend, &other, &all_runs(&ground).await).await;
    assert_eq!(other.export_lag().await.unwrap().exporter.expect("an exporter").0, "other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_lived_before_the_export_began_is_shown_from_its_beginning() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let before = node(ground.builder()).start().await.unwrap();
    let lives = before.run(&gate(), 1.into()).start().await.unwrap();
    let sleeps = before.run(&gate(), 2.into()).start().await.unwrap();
    until("both wait", async || {
        let waits = "select count(*) from runlog.events where kind = 'signal_awaited'";
        ground.count(waits).await == 2
    })
    .await;

    let runtime = node(ground.builder()).client().export(export(&backend)).start().await.unwrap();
    assert_shown(&backend, &runtime, &[lives.id(), sleeps.id()]).await;
    lives.signal("go", &"on").await.unwrap();
    soon("its end", lives.wait()).await.unwrap();

    assert_shown(&backend, &runtime, &[lives.id(), sleeps.id()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_exports_what_was_committed_and_makes_room() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let rare = export(&backend).interval(Duration::from_secs(60));
    let lease = Duration::from_secs(600);
    let runtime = node(ground.builder()).lease(lease).export(rare).start().await.unwrap();
    exported(&runtime).await;
    orders(&runtime, 4).await;
    finished(&ground).await;
    assert!(runtime.export_lag().await.unwrap().commits > 0, "it has not looked since");

    runtime.shutdown(Duration::from_secs(20)).await.unwrap();

    let lag = runtime.export_lag().await.unwrap();
    assert_eq!((lag.commits, lag.exporter), (0, None));
    let next = node(ground.builder()).client().export(export(&backend)).start().await.unwrap();
    assert_shown(&backend, &next, &all_runs(&ground).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_exports_does_so_when_it_is_shut_down_and_stops_when_it_has() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let executes = node(ground.builder()).lease(Duration::from_secs(10)).start().await.unwrap();
    let rare = export(&backend).interval(Duration::from_secs(60));
    let client = node(ground.builder()).lease(Duration::from_secs(600)).client().export(rare);
    let client = client.start().await.unwrap();
    exported(&client).await;
    orders(&executes, 4).await;
    finished(&ground).await;
    assert!(executes.export_lag().await.unwrap().commits > 0, "it has not looked since");

    soon("its end", client.shutdown(PATIENCE * 4)).await.unwrap();

    let lag = executes.export_lag().await.unwrap();
    assert_eq!((lag.commits, lag.exporter), (0, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_export_is_counted_and_its_lag_told() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let runtime = node(ground.builder()).export(export(&backend)).start().await.unwrap();
    exported(&runtime).await;
    backend.go_away().await;
    let run = runtime.run(&gate(), 1.into()).start().await.unwrap();

    let read = async || Exposition::read(&runtime.metrics().await);
    until("it lags", async || read().await.value("runlog_export_lag_seconds", "", &[]) > 0.2).await;
    until("it failed", async || read().await.value("runlog_export_failures_total", "", &[]) > 0.0).await;
    assert!(read().await.value("runlog_export_commits", "", &[]) > 0.0);
    let lag = runtime.export_lag().await.unwrap();
    assert!(lag.age > Duration::from_millis(200) && lag.commits > 0, "{lag:?}");

    backend.come_back().await;
    assert_shown(&backend, &runtime, &[run.id()]).await;
    let read = read().await;
    assert_eq!(read.value("runlog_export_lag_seconds", "", &[]), 0.0);
    assert_eq!(read.value("runlog_export_commits", "", &[]), 0.0);
    assert_eq!(read.value("runlog_export_runs", "", &[]), 1.0);
    let accepted = read.value("runlog_export_spans_total", "", &[("outcome", "accepted")]);
    assert_eq!(accepted, backend.spans().len() as f64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_went_to_the_archive_meanwhile_is_shown() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let runtime = node(ground.builder()).export(export(&backend)).start().await.unwrap();
    exported(&runtime).await;
    backend.go_away().await;
    orders(&runtime, 6).await;
    finished(&ground).await;
    let policy = runlog::RetentionPolicy::default().archive_after(Duration::ZERO);
    runtime.set_retention(policy).await.unwrap();
    assert!(runtime.prune_now().await.unwrap().archived >= 6);

    backend.come_back().await;

    assert_shown(&backend, &runtime, &all_runs(&ground).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_read_holds_up_no_other() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let runtime = node(ground.builder()).export(export(&backend)).start().await.unwrap();
    exported(&runtime).await;
    // As a newer release would write it, in a rolling deploy.
    let odd = runtime.run(&gate(), 1.into()).start().await.unwrap();
    until("it waits", async || {
        ground.count("select count(*) from runlog.events where kind = 'signal_awaited'").await == 1
    })
    .await;
    ground
        .psql(&format!(
            "with e as (
                 insert into runlog.events
                 select run_id, max(seq) + 1, 'teleported', 1, clock_timestamp(), null, null, null, '{{}}'
                 from runlog.events where run_id = '{0}' group by run_id
                 returning run_id, seq
             )
             insert into runlog.outbox (at, runs, seqs)
             select clock_timestamp(), array[run_id], array[seq] from e",
            odd.id()
        ))
        .await
        .unwrap();
    let other = runtime.run(&gate(), 2.into()).start().await.unwrap();
    other.signal("go", &"on").await.unwrap();
    soon("its end", other.wait()).await.unwrap();
    exported(&runtime).await;

    let shown = by_id(backend.spans());
    for (id, span) in by_id(derived(&runtime, other.id()).await) {
        assert_eq!(shown.get(&id), Some(&span));
    }
    let refused = runtime.refused_spans(10).await.unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].run, refused[0].trace_id.is_none()), (odd.id(), true));
    assert!(refused[0].reason.contains("teleported"), "{}", refused[0].reason);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_a_client_of_the_former_release_made_is_shown() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let runtime = node(ground.builder()).export(export(&backend)).start().await.unwrap();
    exported(&runtime).await;
    // Its statement does not know the outbox: what it would leave there is taken away in the same transaction.
    let mut transaction = ground.pool.begin().await.unwrap();
    let run = runtime.run(&item(), 1).start_in(&mut transaction).await.unwrap().run.id();
    let taken = "delete from runlog.outbox where xid = pg_current_xact_id()";
    assert_eq!(sqlx::query(taken).execute(&mut *transaction).await.unwrap().rows_affected(), 1);
    transaction.commit().await.unwrap();
    assert_eq!(soon("its end", runtime.handle(run).wait()).await.unwrap(), Status::Succeeded);

    assert_shown(&backend, &runtime, &[run]).await;
}
