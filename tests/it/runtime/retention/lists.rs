//! What lists, counts and comparisons know of archived runs.

use runlog::Search;
use runlog::model::RunSummary;

use super::*;
use crate::support::Ground;

/// Succeeds with even numbers.
fn even() -> Workflow<u32, u32> {
    let code = |_: Cx, n: u32| async move { if n.is_multiple_of(2) { Ok(n) } else { Err(std::fmt::Error) } };
    Workflow::function("even", code)
}

async fn run(runtime: &Runtime, n: u32) -> RunId {
    let run = runtime.run(&even(), n).metadata([("n", n.to_string())]).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    run.id()
}

fn search(filter: &str) -> Search {
    Search::new(filter.parse().unwrap())
}

async fn ids(runtime: &Runtime, filter: &str) -> Vec<RunId> {
    runtime.list(&search(filter)).await.unwrap().data.iter().map(|run| run.run).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archived_run_is_listed_counted_and_grouped_as_before() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(even()).start().await.unwrap();
    let (good, bad) = (run(&runtime, 2).await, run(&runtime, 3).await);
    let before = runtime.list(&search("")).await.unwrap().data;
    let groups = runtime.failures(&search("")).await.unwrap();
    archive_at_once(&runtime).await;
    assert_eq!(runtime.prune_now().await.unwrap().archived, 2);
    runtime.set_retention(RetentionPolicy::default()).await.unwrap();
    let new = run(&runtime, 4).await;

    let all = runtime.list(&search("")).await.unwrap().data;
    let marks: Vec<_> = all.iter().map(|run| (run.run, run.archived)).collect();
    assert_eq!(marks, [(new, false), (bad, true), (good, true)]);
    let unmarked = all[1..].iter().cloned().map(|run| RunSummary { archived: false, ..run });
    assert_eq!(unmarked.collect::<Vec<_>>(), before);
    assert_eq!(runtime.count(&search("")).await.unwrap().total(), 3);
    assert_eq!(runtime.failures(&search("")).await.unwrap(), groups);
    assert_eq!(runtime.tasks(&search("")).await.unwrap().data.len(), 3);
    assert_eq!(ids(&runtime, "is:archived").await, [bad, good]);
    assert_eq!(ids(&runtime, "-is:archived").await, [new]);
    assert_eq!(ids(&runtime, "meta.n:2").await, [good]);
    assert_eq!(ids(&runtime, &format!("id:{bad}")).await, [bad]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_go_on_while_their_runs_are_archived() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(even()).start().await.unwrap();
    let mut runs = Vec::new();
    for n in 0..4 {
        runs.insert(0, run(&runtime, 2 * n).await);
    }
    let first = runtime.list(&search("").limit(2)).await.unwrap();
    archive_at_once(&runtime).await;
    assert_eq!(runtime.prune_now().await.unwrap().archived, 4);
    let second = runtime.list(&search("").limit(2).cursor(first.next.unwrap())).await.unwrap();
    let both: Vec<RunId> = first.data.iter().chain(&second.data).map(|run| run.run).collect();
    assert_eq!(both, runs);
    assert_eq!(second.next, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn archived_runs_are_asked_for_without_a_window() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(even()).start().await.unwrap();
    let old = run(&runtime, 2).await;
    let old = age(&ground, old, 200).await;
    archive_at_once(&runtime).await;
    assert_eq!(runtime.prune_now().await.unwrap().archived, 1);

    let within = |filter: &str| search(filter).within(Duration::from_secs(24 * 3_600));
    assert_eq!(runtime.list(&within("")).await.unwrap().data, []);
    let asked_for = runtime.list(&within("is:archived")).await.unwrap();
    assert_eq!((asked_for.data.len(), asked_for.window.since), (1, None));
    assert_eq!(asked_for.data[0].run, old);
    assert_eq!(runtime.list(&within("is:archived since:30d")).await.unwrap().data, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_good_run_may_be_archived_and_so_may_the_one_that_asks() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(even()).start().await.unwrap();
    let (good, bad) = (run(&runtime, 2).await, run(&runtime, 3).await);
    archive_at_once(&runtime).await;
    assert_eq!(runtime.prune_now().await.unwrap().archived, 2);
    let new = run(&runtime, 5).await;

    assert_eq!(runtime.last_good(new).await.unwrap(), Some(good));
    assert_eq!(runtime.last_good(bad).await.unwrap(), Some(good));
    let newer = run(&runtime, 4).await;
    assert_eq!(runtime.last_good(run(&runtime, 7).await).await.unwrap(), Some(newer));
    let why = runtime.why(new).await.unwrap().unwrap();
    assert_eq!(why.last_good.unwrap().run, good);
}
