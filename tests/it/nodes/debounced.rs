//! Limits that wait until a key is quiet, over nodes: the newest of a burst runs, and nothing is lost with a node.

use std::collections::BTreeMap;
use std::time::Duration;

use runlog::model::Waiting;
use runlog::model::state::End;
use runlog::store::postgres::{Scope, verify};
use runlog::{Concurrency, Cx, RunHandle, RunId, Runtime, Status, Workflow};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Ground, Postgres, on_both, soon, until};

const HOUR: Duration = Duration::from_secs(3_600);
const MOMENT: Duration = Duration::from_millis(1);
const LEASE: Duration = Duration::from_millis(500);

/// Gives the document's text back.
fn save(limit: Concurrency<Value>) -> Workflow<Value, Value> {
    async fn code(_cx: Cx, input: Value) -> anyhow::Result<Value> {
        Ok(input["text"].clone())
    }
    Workflow::function("save", code).concurrency(limit)
}

fn quiet(quiet: Duration) -> Concurrency<Value> {
    Concurrency::debounce("document", quiet).by_input("/document")
}

async fn node(ground: &impl Ground, limit: Concurrency<Value>) -> Runtime {
    ground.builder().workflow(save(limit)).lease(LEASE).start().await.expect("a node")
}

async fn start(node: &Runtime, document: &str, text: usize) -> RunHandle<Value> {
    let input = json!({ "document": document, "text": text });
    node.run(&save(quiet(HOUR)), input).start().await.expect("a run")
}

/// Waits for a run's cancellation and gives the newer run for which its limit had it cancelled.
async fn gave_way(run: &RunHandle<Value>) -> RunId {
    assert_eq!(soon("its end", run.wait()).await.expect("an end"), Status::Cancelled);
    let view = run.get().await.expect("a view");
    assert_eq!(view.started_at, None);
    let Some(End::Cancelled { reason: Some(reason), .. }) = view.end else { panic!("{:?}", view.end) };
    let (limit, newer) = reason.split_once(" is debounced, and run ").expect(&reason);
    assert!(limit.starts_with("limit `document` of key `"), "{reason}");
    newer.strip_suffix(" came after it").expect(&reason).parse().expect("a run's id")
}

on_both! {
    only_the_newest_of_a_burst_runs
    a_key_that_is_never_quiet_runs_all_the_same
    a_burst_outlives_the_nodes_that_started_it
}

async fn only_the_newest_of_a_burst_runs(ground: impl Ground) {
    let (one, two) = (node(&ground, quiet(HOUR)).await, node(&ground, quiet(HOUR)).await);
    let mut burst = Vec::new();
    for text in 0..6 {
        burst.push(start([&one, &two][text % 2], "a", text).await);
    }
    let other = start(&one, "b", 9).await;
    let newest = burst.pop().expect("a run");
    for (n, run) in burst.iter().enumerate() {
        let newer = gave_way(run).await;
        let came_after = burst.iter().skip(n + 1).chain([&newest]);
        assert!(came_after.into_iter().any(|run| run.id() == newer), "{newer} came after {}", run.id());
    }
    let waiting = newest.get().await.expect("a view").waiting;
    let [Waiting::Quiet { name, key, until }] = &waiting[..] else { panic!("{waiting:?}") };
    assert_eq!((name.as_str(), key.as_str()), ("document", "a"));
    assert!(*until > newest.get().await.expect("a view").created_at + HOUR / 2, "{until}");
    let said = one.why(newest.id()).await.expect("an answer").expect("a run").headline();
    assert!(said.starts_with("save: waits for limit `document` of key `a`, debounced until "), "{said}");
    let debounce = one.limits(None).await.expect("limits")[0].limit.debounce.expect("a debounce");
    assert_eq!((debounce.quiet, debounce.max_wait), (HOUR, None));

    // Who serves it anew says for how long: from now on for a moment.
    let _three = node(&ground, quiet(MOMENT)).await;
    assert_eq!(soon("its output", newest.output()).await.expect("an output"), json!(5));
    assert_eq!(soon("its output", other.output()).await.expect("an output"), json!(9));
}

async fn a_key_that_is_never_quiet_runs_all_the_same(ground: impl Ground) {
    let second = Duration::from_secs(1);
    let node = node(&ground, quiet(second).max_wait(second)).await;
    // Somebody types on until one of their texts is saved, which is while they type.
    let mut saves: JoinSet<Status> = JoinSet::new();
    let typing = async {
        for text in 0.. {
            let run = start(&node, "a", text).await;
            saves.spawn(async move { run.wait().await.expect("an end") });
            while let Some(ended) = saves.try_join_next() {
                if ended.expect("no panic") == Status::Succeeded {
                    return;
                }
            }
        }
        unreachable!("nobody types for ever");
    };
    soon("a text to be saved", typing).await;
}

async fn a_burst_outlives_the_nodes_that_started_it(ground: impl Ground) {
    const KEYS: usize = 3;
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(node(&ground, quiet(HOUR)).await);
    }
    let mut bursts: BTreeMap<String, Vec<RunHandle<Value>>> = BTreeMap::new();
    for text in 0..24 {
        let document = format!("d{}", text % KEYS);
        let run = start(&nodes[text % nodes.len()], &document, text).await;
        bursts.entry(document).or_default().push(run);
        if text % 8 == 7 {
            nodes.remove(0).crash();
            nodes.push(node(&ground, quiet(HOUR)).await);
        }
    }
    nodes.push(node(&ground, quiet(Duration::from_millis(50))).await);
    let client = ground.builder().client().start().await.expect("a client");
    for (_, burst) in bursts {
        let mut ids: Vec<RunId> = burst.iter().map(RunHandle::id).collect();
        let newest = ids.pop().expect("a run");
        let newest = client.handle(newest);
        assert_eq!(soon("its end", newest.wait()).await.expect("an end"), Status::Succeeded);
        for (n, id) in ids.iter().enumerate() {
            let newer = gave_way(&client.handle(*id)).await;
            assert!(ids[n + 1..].contains(&newer) || newer == newest.id(), "{newer} came after {id}");
        }
    }
}

/// What the database says of many bursts on eight nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_nodes_run_the_newest_of_every_burst() {
    const KEYS: usize = 5;
    let ground = Postgres::new().await;
    let short = || quiet(Duration::from_millis(100)).max_wait(Duration::from_millis(400));
    let mut nodes = Vec::new();
    for _ in 0..8 {
        nodes.push(node(&ground, short()).await);
    }
    let work = save(short());
    let mut last = Vec::new();
    for n in 0..40 {
        let of_key = |text| json!({ "document": format!("d{}", text % KEYS), "text": n });
        let runs = (0..3 * KEYS).map(|text| nodes[n % 8].run(&work, of_key(text))).collect();
        last = nodes[n % 8].start_many(runs).await.expect("runs");
    }
    until("all have ended", async || ground.unfinished().await == 0).await;
    for newest in &last[2 * KEYS..] {
        assert_eq!(newest.run.wait().await.expect("an end"), Status::Succeeded);
    }

    let count = async |sql: &str| ground.count(sql).await;
    // Each that did not run names another one of its key.
    let alone = "select count(*) from runlog.runs r
        join runlog.events e on e.run_id = r.id and e.kind = 'run_cancelled'
        where r.status = 'CANCELLED' and not exists (
            select from runlog.runs n
            where n.gate = r.gate and n.id <> r.id and strpos(e.payload, format('run %s came after it', n.id)) > 0
        )";
    assert_eq!(count(alone).await, 0);
    let ended = "select count(*) from runlog.runs where status in ('SUCCEEDED', 'CANCELLED')";
    assert_eq!(count(ended).await, (40 * 3 * KEYS) as i64);
    let ran = count("select count(*) from runlog.runs where status = 'SUCCEEDED'").await;
    assert!(ran < 40 * KEYS as i64, "{ran} ran: no two starts were one burst");
    let scope = Scope { grace: Duration::ZERO, ..Scope::default() };
    let report = verify(&ground.pool, &scope).await.expect("a check");
    assert!(report.holds(), "{:?}", report.violations().collect::<Vec<_>>());
}
