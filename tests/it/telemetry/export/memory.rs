//! What an exporter keeps in memory is bounded, whatever it exports.

use super::*;

/// What the exporter sends at a time, about; see `EXPORT_EVENTS_PER_READ`.
const SPANS_MAX: usize = 5_000;

/// Takes a step each time it is told to.
fn paced() -> Workflow<u32, u32> {
    Workflow::function("paced", |cx: Cx, steps: u32| async move {
        for n in 0..steps {
            cx.signal::<u32>("on").await?;
            cx.step("step", || std::future::ready(anyhow::Ok(n))).await?;
        }
        Ok::<_, CxError>(steps)
    })
}

/// Writes the log of a run of so many steps, as that of a run of one step is: to execute them takes a minute.
async fn written(ground: &Postgres, steps: u32) -> RunId {
    let executes = node(ground.builder()).workflow(long()).start().await.unwrap();
    let short = executes.run(&long(), 1).start().await.unwrap();
    soon("its end", short.wait()).await.unwrap();
    executes.shutdown(Duration::ZERO).await.unwrap();
    let client = node(ground.builder()).workflow(long()).client().start().await.unwrap();
    let run = client.run(&long(), steps).start().await.unwrap().id();
    let short = short.id();
    ground
        .psql(&format!(
            "with short as (
                 select e.*, min(seq) filter (where kind = 'step_completed') over () as step
                 from runlog.events e where run_id = '{short}'
             )
             insert into runlog.events
             select '{run}'::uuid, case when seq <= step then seq else seq + {steps} - 1 end + n, kind, schema_version, time,
                    node, task, attempt, replace(payload, '\"step#0\"', '\"step#' || n || '\"')
             from short, generate_series(0, case when seq = step then {steps} - 1 else 0 end) n
             where seq > 1"
        ))
        .await
        .unwrap();
    run
}

/// Names events of a run in the outbox, as their commit would have.
async fn name(ground: &Postgres, run: RunId, which: &str) {
    ground
        .psql(&format!(
            "insert into runlog.outbox (at, runs, seqs)
             select clock_timestamp(), array_agg(run_id order by seq), array_agg(seq order by seq)
             from runlog.events where run_id = '{run}' and {which}"
        ))
        .await
        .unwrap();
}

async fn kept(runtime: &Runtime) -> f64 {
    Exposition::read(&runtime.metrics().await).value("runlog_export_runs", "", &[])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_ten_thousand_steps_is_exported_in_pieces() {
    const STEPS: u32 = 10_000;
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let run = written(&ground, STEPS).await;
    // All of it is there at once: as after an outage.
    name(&ground, run, "true").await;

    let runtime = node(ground.builder()).client().export(export(&backend)).start().await.unwrap();

    assert_shown(&backend, &runtime, &all_runs(&ground).await).await;
    assert!(backend.spans().len() > STEPS as usize);
    let requests = backend.requests();
    assert!(requests.len() > 4, "{}", requests.len());
    assert!(requests.iter().all(|request| request.spans <= SPANS_MAX && request.bytes <= 1 << 20));
    assert_eq!(kept(&runtime).await, 0.0, "nothing is kept of a run that has ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_for_which_there_is_no_room_are_read_anew() {
    const RUNS: usize = 5;
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let export = export(&backend).runs_kept(2);
    let builder = node(ground.builder()).lease(Duration::from_secs(10));
    let runtime = builder.workflow(paced()).export(export).start().await.unwrap();
    exported(&runtime).await;
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(runtime.run(&paced(), 4).start().await.unwrap());
    }
    // In turns, each time exported: when its turn comes again, a run is forgotten.
    for turn in 0..4 {
        for run in &runs {
            run.signal("on", &turn).await.unwrap();
            until("it went on", async || {
                let done = format!(
                    "select count(*) from runlog.events where run_id = '{}' and kind = 'step_completed'",
                    run.id()
                );
                ground.count(&done).await == i64::from(turn) + 1
            })
            .await;
            exported(&runtime).await;
            assert!(kept(&runtime).await <= 2.0);
        }
    }
    finished(&ground).await;

    let runs: Vec<RunId> = runs.iter().map(|run| run.id()).collect();
    assert_shown(&backend, &runtime, &runs).await;
    assert_eq!(sent_twice(&backend), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_with_an_earlier_commit_is_not_sent_again() {
    let (ground, backend) = (Postgres::new().await, Receiver::new().await);
    let builder = node(ground.builder()).lease(Duration::from_secs(10));
    let runtime = builder.client().export(export(&backend)).start().await.unwrap();
    exported(&runtime).await;
    let run = written(&ground, 3).await;
    exported(&runtime).await;

    name(&ground, run, "seq = 2").await;
    // Of the short run, too, that it was made of.
    let ends = || backend.spans().iter().filter(|span| span.name == "run long").count();
    until("both ends", async || ends() == 2).await;
    exported(&runtime).await;
    assert_eq!(kept(&runtime).await, 1.0, "the row of its end is still to come");

    name(&ground, run, "seq > 2").await;
    exported(&runtime).await;
    assert_eq!(kept(&runtime).await, 0.0);
    assert_shown(&backend, &runtime, &all_runs(&ground).await).await;
    assert_eq!(sent_twice(&backend), [] as [String; 0]);
}
