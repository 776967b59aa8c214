//! A node whose lease is over drops its runs and joins anew.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use runlog::store::memory::{Call, Fate, Faults, MemoryStore};
use runlog::{Cx, Error, Runtime, Status, Workflow};

use crate::support::{Ground, Postgres, gate, soon, steps, until};

const LEASE: Duration = Duration::from_millis(600);

impl Postgres {
    /// Lets every living lease be over since a second ago.
    async fn expire_leases(&self) {
        let expire =
            "update runlog.leases set lease_until = clock_timestamp() - interval '1 s' where not dead";
        self.psql(expire).await.unwrap();
    }

    async fn nodes(&self) -> i64 {
        self.count("select count(*) from runlog.nodes").await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_lease_loses_and_repeats_nothing() {
    let ground = Postgres::new().await;
    ground.note_executions().await;
    let steps = steps(&ground.pool);
    let runtime = ground.builder().workflow(steps.clone()).lease(LEASE).start().await.unwrap();
    let runs = (0..40).map(|_| runtime.run(&steps, 25)).collect();
    runtime.start_many(runs).await.unwrap();

    for lost in 1..=3 {
        let recorded = ground.count("select count(*) from runlog.events where kind = 'step_completed'").await;
        let at_work = "select count(*) from runlog.events where kind = 'step_completed'";
        until("steps are recorded", async || ground.count(at_work).await > recorded + 20).await;
        assert!(ground.unfinished().await > 0, "the lease was lost too late");
        ground.expire_leases().await;
        until("it joined anew", async || ground.nodes().await > lost).await;
    }

    until("all are finished", async || ground.unfinished().await == 0).await;
    ground.assert_sound(40, 25).await;
    let dead = "select count(distinct node) from runlog.leases where dead";
    assert!(ground.count(dead).await >= 3, "the old ones stay dead");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_wait_in_memory_or_parked_outlive_a_lost_lease() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(gate()).lease(LEASE).start().await.unwrap();
    let parked = runtime.run(&gate(), 1.into()).start().await.unwrap();
    until("it is parked", async || runtime.live_runs() == 0).await;
    let live = runtime.run(&gate(), 1.into()).start().await.unwrap();

    ground.expire_leases().await;
    until("it joined anew", async || ground.nodes().await == 2).await;

    for run in [parked, live] {
        run.signal("go", &"on").await.unwrap();
        assert_eq!(soon("its output", run.output()).await.unwrap(), "on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_meets_a_lost_lease_is_refused_or_done_and_can_be_tried_again() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(gate()).lease(LEASE).start().await.unwrap();
    let mut runs = Vec::new();
    for n in 0..60 {
        if n % 15 == 7 {
            ground.expire_leases().await;
        }
        loop {
            let new = runtime.run(&gate(), n.into()).key(n.to_string());
            match new.start().await {
                Ok(run) => break runs.push(run),
                Err(Error::NotRunning | Error::Store(_)) => {
                    tokio::time::sleep(Duration::from_millis(5)).await
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    assert!(ground.nodes().await >= 4, "leases were lost");
    assert_eq!(ground.count("select count(*) from runlog.runs").await, 60);
    for run in &runs {
        run.signal("go", &"on").await.unwrap();
    }
    for run in &runs {
        assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Succeeded);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_node_is_never_brought_back() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(gate()).lease(LEASE).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start().await.unwrap();
    let old = run.get().await.unwrap().node.unwrap();
    ground.psql("update runlog.leases set dead = true").await.unwrap();
    until("it joined anew", async || ground.nodes().await == 2).await;

    until("the run has a new owner", async || run.get().await.unwrap().node.is_some_and(|node| node != old))
        .await;

    let dead = format!("select count(*) from runlog.leases where node = {old} and dead");
    assert_eq!(
        ground.count(&dead).await,
        ground.count("select count(*) from runlog.leases where dead").await
    );
    run.signal("go", &"on").await.unwrap();
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Succeeded);
}

/// Panics, once it is armed, in the first call of each of some methods: inside the agent that calls.
struct Panics {
    armed: AtomicBool,
    methods: Mutex<Vec<&'static str>>,
}

impl Faults for Panics {
    fn on_call(&self, call: &Call) -> Fate {
        let mut methods = self.methods.lock().unwrap();
        let at = methods.iter().position(|method| *method == call.method);
        if let (true, Some(at)) = (self.armed.load(Ordering::Relaxed), at) {
            let method = methods.remove(at);
            drop(methods);
            panic!("asked for in {method}");
        }
        Fate::Passes
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_panics_loses_nothing() {
    for method in ["append", "claim", "rescue", "heartbeat", "inbox"] {
        let panics = Arc::new(Panics { armed: AtomicBool::new(false), methods: Mutex::new(vec![method]) });
        let store = MemoryStore::new("2026-01-01T00:00:00Z".parse().unwrap()).connect_with(panics.clone());
        let paced = Workflow::function("paced", |cx: Cx, (): ()| async move {
            for _ in 0..10 {
                cx.step("pace", || async { anyhow::Ok(()) }).await?;
                cx.sleep(Duration::from_millis(200)).await?;
            }
            anyhow::Ok(cx.signal::<u32>("go").await?)
        });
        let runtime = Runtime::on_store(store).workflow(paced.clone()).lease(LEASE).start().await.unwrap();
        let run = runtime.run(&paced, ()).start().await.unwrap();
        panics.armed.store(true, Ordering::Relaxed);
        run.signal("go", &7).await.unwrap();
        let output = tokio::time::timeout(Duration::from_secs(3_600), run.output()).await;
        let Ok(output) = output else { panic!("the run stands still after a panic in {method}") };
        assert_eq!(output.unwrap(), Some(7), "after a panic in {method}");
        assert!(panics.methods.lock().unwrap().is_empty(), "{method} was never called");
    }
}
