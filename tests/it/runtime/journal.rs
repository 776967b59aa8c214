//! Group commit: what one run cannot write harms nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use runlog::model::Waiting;
use runlog::{CancelOptions, Cx, CxError, Error, Status, Workflow};
use tokio::sync::Barrier;

use crate::support::{Ground, Postgres, gate, soon, until};

const RUNS: usize = 30;

/// Gives its input back by a step that all runs finish at the same moment; counts executions by what is given.
fn together(
    barrier: Arc<Barrier>,
    poisoned: Arc<AtomicU32>,
    others: Arc<AtomicU32>,
) -> Workflow<String, String> {
    Workflow::function("together", move |cx: Cx, word: String| {
        let (barrier, poisoned, others) = (barrier.clone(), poisoned.clone(), others.clone());
        async move {
            let body = move || {
                let (barrier, word) = (barrier.clone(), word.clone());
                let count = if word == "poison" { &poisoned } else { &others };
                let first = count.fetch_add(1, Ordering::Relaxed) == 0 || word != "poison";
                async move {
                    if first {
                        barrier.wait().await;
                    }
                    Ok::<_, CxError>(word)
                }
            };
            let word = cx.step("together", body).await?;
            cx.step("after", move || std::future::ready(Ok::<_, CxError>(word.clone()))).await
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_the_database_refuses_harms_no_other_run() {
    let ground = Postgres::new().await;
    let (poisoned, others) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let together = together(Arc::new(Barrier::new(RUNS)), poisoned.clone(), others.clone());
    ground
        .psql(
            "create function poison() returns trigger language plpgsql as
                 $$ begin raise 'poison' using errcode = 'data_exception'; end $$;
             create trigger poison before insert on runlog.events for each row
                 when (new.kind = 'step_completed' and new.payload like '%\"poison\"%') execute function poison()",
        )
        .await
        .unwrap();
    let runtime = ground.builder().workflow(together.clone()).lanes(1).start().await.unwrap();
    let mut runs = Vec::new();
    for n in 0..RUNS {
        let word = if n == 11 { "poison".to_owned() } else { n.to_string() };
        runs.push(runtime.run(&together, word).start().await.unwrap());
    }
    let bad = runs.remove(11);

    for run in &runs {
        assert_eq!(soon("a neighbour's end", run.wait()).await.unwrap(), Status::Succeeded);
    }
    assert_eq!(others.load(Ordering::Relaxed), RUNS as u32 - 1, "each neighbour executed its step once");

    // A person is told, and the step is not executed again and again.
    until("the refusal is shown", async || {
        matches!(bad.get().await.unwrap().waiting.as_slice(), [Waiting::Blocked { report }] if report.contains("poison"))
    })
    .await;
    until("the bad run left memory", async || runtime.live_runs() == 0).await;
    assert_eq!(bad.get().await.unwrap().status, Status::Running);
    assert_eq!(poisoned.load(Ordering::Relaxed), 1);

    // Once the cause is gone the run goes on, here as soon as something happens to it.
    ground.psql("drop trigger poison on runlog.events").await.unwrap();
    bad.signal("look", &()).await.unwrap();
    assert_eq!(soon("its output", bad.output()).await.unwrap(), "poison");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_run_that_the_database_refuses_harms_no_other_start() {
    let ground = Postgres::new().await;
    ground.psql("alter table runlog.runs add constraint no_poison check (key <> 'k13')").await.unwrap();
    let runtime = ground.builder().workflow(gate()).lanes(1).start().await.unwrap();
    let start = async |n: usize| runtime.run(&gate(), n.into()).key(format!("k{n}")).start().await;

    let started = futures_util::future::join_all((0..40).map(start)).await;

    for (n, started) in started.iter().enumerate() {
        match started {
            Ok(_) => assert_ne!(n, 13),
            Err(Error::Store(error)) => {
                assert_eq!(n, 13);
                assert!(error.to_string().contains("no_poison"), "{error}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(ground.count("select count(*) from runlog.runs").await, 39);
    until("the refused one left no actor", async || runtime.live_runs() <= 39).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_with_a_damaged_log_is_quarantined_and_its_neighbours_go_on() {
    let ground = Postgres::new().await;
    let first = ground.builder().workflow(gate()).start().await.unwrap();
    let mut runs = Vec::new();
    for n in 0..5 {
        let run = first.run(&gate(), n.into()).start().await.unwrap();
        until("it waits", async || !run.get().await.unwrap().waiting.is_empty()).await;
        runs.push(run.id());
    }
    first.shutdown(std::time::Duration::ZERO).await.unwrap();
    let bad = runs.remove(2);
    let damage = format!(
        "begin; set local runlog.retention = 'on';
         delete from runlog.events where run_id = '{bad}' and seq = 2; commit"
    );
    ground.psql(&damage).await.unwrap();

    let next = ground.builder().workflow(gate()).start().await.unwrap();

    for run in runs {
        next.signal(run, "go", &"on").await.unwrap();
        assert_eq!(soon("a neighbour's end", next.handle(run).wait()).await.unwrap(), Status::Succeeded);
    }
    let error = next.get(bad).await.unwrap_err();
    assert!(matches!(error, Error::Quarantined { run, .. } if run == bad), "{error:?}");
    assert!(error.to_string().contains("seq 3 follows 1"), "{error}");
    next.signal(bad, "go", &"on").await.unwrap();
    let cancelled = soon("an answer", next.cancel(bad, CancelOptions::default())).await;
    assert!(matches!(cancelled, Err(Error::Quarantined { run, .. }) if run == bad), "{cancelled:?}");
    let row = format!("select count(*) from runlog.runs where id = '{bad}' and status = 'RUNNING'");
    assert_eq!(ground.count(&row).await, 1, "nothing was made of it");
    let events = format!("select count(*) from runlog.events where run_id = '{bad}' and seq > 3");
    assert_eq!(ground.count(&events).await, 1, "nothing was added to it");
}
