//! Many nodes under limits of concurrency by key: none exceeds them, leaves a slot free or forgets a key.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use runlog::runtime::Started;
use runlog::store::postgres::{Scope, verify};
use runlog::{Concurrency, Cx, Runtime, Status, Workflow};
use tokio::sync::Barrier;

use crate::support::{Ground, Postgres, soon};

const NODES: usize = 8;

/// How many runs of each key are at work, the most there ever were, and who began in which order.
#[derive(Default)]
struct AtWork {
    now: BTreeMap<String, usize>,
    most: usize,
    began: Vec<String>,
}

/// Work of a key, of which at most two runs are at work at once.
fn work<F: Future<Output = ()> + Send>(
    at_work: &Arc<Mutex<AtWork>>,
    turns: fn(Concurrency<String>) -> Concurrency<String>,
    body: impl Fn(String) -> F + Clone + Send + Sync + 'static,
) -> Workflow<String, ()> {
    let at_work = Arc::clone(at_work);
    let code = move |cx: Cx, key: String| {
        let (at_work, body) = (Arc::clone(&at_work), body.clone());
        async move {
            let work = || async {
                {
                    let mut at_work = at_work.lock().expect("no panic");
                    let now = at_work.now.entry(key.clone()).or_default();
                    *now += 1;
                    let now = *now;
                    at_work.most = at_work.most.max(now);
                    at_work.began.push(key.clone());
                }
                body(key.clone()).await;
                *at_work.lock().expect("no panic").now.entry(key.clone()).or_default() -= 1;
                anyhow::Ok(())
            };
            anyhow::Ok(cx.step("work", work).await?)
        }
    };
    Workflow::function("work", code).concurrency(turns(Concurrency::limit("key", 2).by_input("")))
}

/// Has eight nodes, each with so many slots, do the work of these keys, which is there before them.
async fn at_once(
    ground: &Postgres,
    workflow: impl Fn() -> Workflow<String, ()>,
    slots: usize,
    keys: Vec<String>,
) {
    let client = ground.builder().workflow(workflow()).client().start().await.expect("a client");
    let work = workflow();
    let runs = keys.into_iter().map(|key| client.run(&work, key)).collect();
    let started: Vec<Started<()>> = client.start_many(runs).await.expect("runs");
    let mut nodes: Vec<Runtime> = Vec::new();
    for _ in 0..NODES {
        let node = ground.builder().workflow(workflow()).workflow_slots("work", slots);
        nodes.push(node.start().await.expect("a node"));
    }
    for started in &started {
        assert_eq!(soon("its end", started.run.wait()).await.expect("an end"), Status::Succeeded);
    }
    let report =
        verify(&ground.pool, &Scope { grace: Duration::ZERO, ..Scope::default() }).await.expect("a check");
    assert!(report.holds(), "{:?}", report.violations().collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_nodes_keep_the_limit_and_are_fair_to_every_key() {
    const KEYS: usize = 10;
    const EACH: usize = 100;
    let ground = Postgres::new().await;
    let at_work: Arc<Mutex<AtWork>> = Arc::default();
    let nap = |_| tokio::time::sleep(Duration::from_millis(5));
    let workflow = || work(&at_work, Concurrency::round_robin, nap);
    // One key after the other, and twice as many of the first.
    let keys = (0..=KEYS).map(|n| format!("k{}", n.saturating_sub(1)));
    at_once(&ground, workflow, 1, keys.flat_map(|key| vec![key; EACH]).collect()).await;

    let at_work = at_work.lock().expect("no panic");
    assert!(at_work.most <= 2, "{} of a key at once", at_work.most);
    // While all keys have work, each has its tenth.
    let share = EACH * 3 / 4;
    let fair = &at_work.began[..KEYS * share];
    for n in 0..KEYS {
        let of_key = fair.iter().filter(|key| **key == format!("k{n}")).count();
        assert!(of_key.abs_diff(share) <= share / 10, "k{n} began {of_key} times of {share}: {fair:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_nodes_start_no_more_of_a_key_in_any_window_than_its_rate_says() {
    const KEYS: usize = 3;
    const EACH: usize = 16;
    let ground = Postgres::new().await;
    let at_work: Arc<Mutex<AtWork>> = Arc::default();
    let rate = |limit: Concurrency<String>| limit.starts(4, Duration::from_millis(250));
    let workflow = || work(&at_work, rate, |_| std::future::ready(()));
    // All have their turn, and the check of the database finds no window with too many: see `at_once`.
    at_once(&ground, workflow, 2, (0..KEYS * EACH).map(|n| format!("k{}", n % KEYS)).collect()).await;
    // The same, without the check's words: of five starts of a key, the last is a window after the first, or later.
    let least = "select min(extract(epoch from let_in_at - before) * 1000)::float8, count(let_in_at)
        from (
            select let_in_at, lag(let_in_at, 4) over (partition by limit_key order by let_in_at, id) as before
            from runlog.runs
        ) r";
    let (least_ms, starts): (f64, i64) = sqlx::query_as(least).fetch_one(&ground.pool).await.expect("starts");
    assert_eq!(starts, (KEYS * EACH) as i64);
    assert!(least_ms >= 250.0, "five of a key within {least_ms} ms");

    let at_work = at_work.lock().expect("no panic");
    assert_eq!(at_work.began.len(), KEYS * EACH);
    assert!(at_work.most <= 2, "{} of a key at once", at_work.most);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_slot_stays_free_while_work_waits() {
    const KEYS: usize = 3;
    const EACH: usize = 20;
    let ground = Postgres::new().await;
    let at_work: Arc<Mutex<AtWork>> = Arc::default();
    // Nobody of a key goes on until both of its slots are taken: a slot that stays free would hold up all of them.
    let barriers: Arc<BTreeMap<String, Barrier>> =
        Arc::new((0..KEYS).map(|n| (format!("k{n}"), Barrier::new(2))).collect());
    let both = move |key: String| {
        let barriers = Arc::clone(&barriers);
        async move {
            let _leads = barriers.get(&key).expect("a barrier").wait().await;
        }
    };
    let workflow = || work(&at_work, |limit| limit, both.clone());
    at_once(&ground, workflow, 2, (0..KEYS * EACH).map(|n| format!("k{}", n % KEYS)).collect()).await;

    let at_work = at_work.lock().expect("no panic");
    assert_eq!((at_work.most, at_work.began.len()), (2, KEYS * EACH));
}

/// Who comes to a gate after it was looked at is not cancelled for slots that are free: it has called the gate itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gives_way_while_a_slot_is_free() {
    let ground = Postgres::new().await;
    let at_work = Arc::default();
    let workflow = || work(&at_work, Concurrency::cancel_newest, |_| std::future::ready(()));
    let node = ground.builder().workflow(workflow()).start().await.unwrap();
    node.shutdown(Duration::from_secs(5)).await.unwrap();
    let client = ground.builder().workflow(workflow()).client().start().await.unwrap();
    client.run(&workflow(), "a".to_owned()).start().await.unwrap();
    assert_eq!(ground.count("select count(*) from runlog.runs where gate_at is not null").await, 1);

    ground.psql("select runlog.give_way(array_agg(gate)) from runlog.runs").await.unwrap();

    assert_eq!(ground.count("select count(*) from runlog.runs where gives_way").await, 0);
}
