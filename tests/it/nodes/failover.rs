//! How long the runs of a dead node stand still, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use runlog::store::Store;
use runlog::store::memory::MemoryStore;
use runlog::workflow::CxError;
use runlog::{Cx, RunId, Runtime, Status, Workflow};
use tokio::time::Instant;

/// The default of [`runlog::RuntimeBuilder::lease`].
const LEASE: Duration = Duration::from_secs(10);

fn work() -> Workflow<(), ()> {
    Workflow::function("work", |cx: Cx, ()| async move {
        for step in ["one", "two", "three"] {
            let body = || async {
                tokio::time::sleep(Duration::from_secs(7)).await;
                anyhow::Ok(())
            };
            cx.step(step, body).await?;
        }
        Ok::<_, CxError>(())
    })
}

async fn node(world: &MemoryStore) -> Runtime {
    Runtime::on_store(world.connect() as Arc<dyn Store>).workflow(work()).start().await.unwrap()
}

async fn owned(world: &MemoryStore, runs: &[RunId], node: &Runtime) -> bool {
    let mut owners = Vec::new();
    for run in runs {
        owners.push(world.row(*run).await.unwrap().expect("a run").owner);
    }
    owners.iter().all(Option::is_some) && node.live_runs() == runs.len()
}

#[tokio::test(start_paused = true)]
async fn a_living_node_takes_over_within_one_and_a_half_leases_whenever_the_other_dies() {
    for phase in 0..20 {
        let world = MemoryStore::seeded("2026-01-01T00:00:00Z".parse().unwrap(), phase);
        let (dying, living) = (node(&world).await, node(&world).await);
        let mut runs = Vec::new();
        for _ in 0..100 {
            runs.push(dying.run(&work(), ()).start().await.unwrap().id());
        }
        tokio::time::sleep(Duration::from_millis(5_000 + phase * 333)).await;
        assert_eq!((dying.live_runs(), living.live_runs()), (100, 0));

        let died = Instant::now();
        dying.crash();
        while !owned(&world, &runs, &living).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let took = died.elapsed();

        assert!(took <= LEASE.mul_f64(1.5), "phase {phase}: {took:?}");
        assert!(took >= LEASE / 2, "phase {phase}: a living lease was taken for a dead one after {took:?}");
        for run in &runs {
            assert_eq!(living.handle(*run).wait().await.unwrap(), Status::Succeeded);
        }
        living.shutdown(Duration::ZERO).await.unwrap();
    }
}
