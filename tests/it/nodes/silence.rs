//! The database does not answer, or the process stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use runlog::store::memory::{Call, Fate, Faults, MemoryStore};
use runlog::store::{Store, StoreError};
use runlog::workflow::CxError;
use runlog::{Cx, Error, Runtime, Status, Workflow};

use crate::support::{Ground, Postgres, gate, until};

/// A network that can be cut.
#[derive(Default)]
struct Network {
    is_cut: AtomicBool,
}

impl Faults for Network {
    fn on_call(&self, _call: &Call) -> Fate {
        if self.is_cut.load(Ordering::Relaxed) { Fate::Lost } else { Fate::Passes }
    }

    fn on_answer(&self, call: &Call, _events: u64) -> Fate {
        self.on_call(call)
    }
}

/// Makes steps of a second, and counts those that run.
fn work(at_work: &Arc<AtomicUsize>) -> Workflow<u32, u32> {
    let at_work = Arc::clone(at_work);
    Workflow::function("work", move |cx: Cx, steps: u32| {
        let at_work = Arc::clone(&at_work);
        async move {
            for step in 0..steps {
                let body = || async {
                    at_work.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    anyhow::Ok(())
                };
                cx.step(&format!("s{step}"), body).await?;
            }
            cx.sleep(Duration::from_secs(60)).await?;
            Ok::<_, CxError>(steps)
        }
    })
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_without_the_database_end_no_process_and_lose_nothing() {
    let world = MemoryStore::seeded("2026-01-01T00:00:00Z".parse().unwrap(), 1);
    let network = Arc::new(Network::default());
    let bodies = Arc::new(AtomicUsize::new(0));
    let node = async || {
        let store = world.connect_with(Arc::clone(&network) as Arc<dyn Faults>) as Arc<dyn Store>;
        Runtime::on_store(store).workflow(work(&bodies)).workflow(gate()).start().await.unwrap()
    };
    let nodes = [node().await, node().await];
    let mut runs = Vec::new();
    for n in 0..200 {
        runs.push(nodes[n % 2].run(&work(&bodies), 30).start().await.unwrap());
    }
    let waits = nodes[0].run(&gate(), 1.into()).start().await.unwrap();
    tokio::time::sleep(Duration::from_millis(4_500)).await;

    network.is_cut.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(11)).await;
    let ran = bodies.load(Ordering::Relaxed);
    assert_eq!(
        [nodes[0].live_runs(), nodes[1].live_runs()],
        [0, 0],
        "a node that must be dead holds nothing"
    );
    for n in 0..50 {
        let start = nodes[n % 2].run(&work(&bodies), 1).start().await;
        let refused = matches!(start, Err(Error::Store(StoreError::Unavailable { .. }) | Error::NotRunning));
        assert!(refused, "{start:?}");
        tokio::time::sleep(Duration::from_secs(12)).await;
    }
    assert_eq!(bodies.load(Ordering::Relaxed), ran, "nothing runs that could not be recorded");

    network.is_cut.store(false, Ordering::Relaxed);
    for run in &runs {
        assert_eq!(run.wait().await.unwrap(), Status::Succeeded);
    }
    waits.signal("go", &"after all").await.unwrap();
    assert_eq!(waits.output().await.unwrap(), "after all");
    let twice = bodies.load(Ordering::Relaxed) - 200 * 30;
    assert!(twice <= 200, "at most the one step that was at work runs twice, {twice} did");
    for run in &runs {
        let row = world.row(run.id()).await.unwrap().expect("a run");
        assert_eq!(row.deaths, 0, "that the database was away is no run's doing");
    }
}

#[tokio::test]
async fn a_process_that_stood_still_for_a_lease_gives_its_runs_up_before_it_asks() {
    let ground = Postgres::new().await;
    let lease = Duration::from_millis(500);
    let node = ground.builder().workflow(gate()).lease(lease).park_after(Duration::from_secs(60));
    let node = node.start().await.unwrap();
    let run = node.run(&gate(), 1.into()).start().await.unwrap();
    assert_eq!(node.live_runs(), 1);

    // One thread serves this test and the node.
    std::thread::sleep(lease * 3);
    tokio::time::sleep(Duration::from_millis(1)).await;

    until("it joined anew", async || ground.count("select count(*) from runlog.nodes").await == 2).await;
    run.signal("go", &"on").await.unwrap();
    assert_eq!(run.output().await.unwrap(), "on");
    assert_eq!(ground.count("select count(*) from runlog.nodes where resumes is not null").await, 0);
}
