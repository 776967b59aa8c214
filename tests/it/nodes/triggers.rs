//! Trigger events on several nodes of one database.

mod killed;

use std::time::Duration;

use runlog::store::postgres::{Scope, verify};
use runlog::{Runtime, RuntimeBuilder, Subscription, TriggerEvent};
use tokio::task::JoinSet;

use crate::support::{Ground, Postgres, echo, gate, until};

const LEASE: Duration = Duration::from_millis(800);
const EVENTS: usize = 400;

async fn start(builder: RuntimeBuilder) -> Runtime {
    let builder = builder.workflow(echo()).workflow(gate()).lease(LEASE);
    let builder = builder.poll_interval(Duration::from_millis(50));
    let odd = Subscription::by_name("odd", "said", "echo").filter("payload.n % 2 == 1");
    let all = Subscription::by_name("all", "said", "echo");
    builder.subscription(odd).subscription(all).start().await.expect("a node")
}

fn event(n: usize) -> TriggerEvent {
    TriggerEvent::new(format!("evt_{n}"), "said", &serde_json::json!({ "n": n }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_starts_its_runs_once_whoever_dies_in_the_middle_of_a_push() {
    let ground = Postgres::new().await;
    let mut nodes = Vec::new();
    for _ in 0..8 {
        nodes.push(start(ground.builder()).await);
    }
    let mut unanswered = Vec::new();
    for (turn, few) in (0..EVENTS).collect::<Vec<_>>().chunks(50).enumerate() {
        let dying = nodes.remove(0);
        let mut pushes = JoinSet::new();
        for n in few {
            let dying = dying.clone();
            let n = *n;
            pushes.spawn(async move { dying.push(event(n)).await.map(|_| n) });
        }
        // Another node is told of some of them at the same time.
        let others = few.iter().step_by(5).map(|n| nodes[turn % nodes.len()].push(event(*n)));
        let others = futures_util::future::join_all(others);
        let first = async {
            let first = pushes.join_next().await.expect("a push").expect("no panic").expect("an answer");
            // Dead in the middle of the others: their statements end with their connections, before or after they commit.
            dying.crash();
            pushes.abort_all();
            let mut answered = vec![first];
            while let Some(ended) = pushes.join_next().await {
                answered.extend(ended.ok().and_then(Result::ok));
            }
            answered
        };
        let (answered, others) = futures_util::join!(first, others);
        assert!(others.iter().all(Result::is_ok), "{others:?}");
        unanswered.extend(few.iter().copied().filter(|n| !answered.contains(n)));
        nodes.push(start(ground.builder()).await);
    }
    assert!(unanswered.len() > 8, "the deaths came in the middle: {}", unanswered.len());

    // Who got no answer asks again, elsewhere.
    for n in unanswered {
        nodes[n % nodes.len()].push(event(n)).await.expect("a push");
    }

    let count = async |sql: &str| ground.count(sql).await;
    assert_eq!(count("select count(*) from runlog.trigger_events").await, EVENTS as i64);
    let runs = (EVENTS + EVENTS / 2) as i64;
    let started = "from runlog.runs where trigger = 'event'";
    assert_eq!(count(&format!("select count(*) {started}")).await, runs);
    assert_eq!(count(&format!("select count(distinct trigger_id) {started}")).await, EVENTS as i64);
    until("all of them have ended", async || ground.unfinished().await == 0).await;
    let report = verify(&ground.pool, &Scope::default()).await.expect("a report");
    assert_eq!(report.violations().count(), 0, "{:?}", report.violations().collect::<Vec<_>>());
}
