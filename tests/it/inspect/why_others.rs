//! What stands around a cause: what the code said last, and which other runs failed so.

use runlog::inspect::{Search, Why};
use runlog::model::{Level, RunId};
use runlog::{Cx, CxError, Retry, RunHandle, Runtime, Status, Workflow};

use crate::support::{Ground, Postgres, on_both, soon, until};

on_both! {
    runs_that_failed_for_the_same_cause_are_counted_and_named
    what_the_failed_attempt_said_last
    what_a_child_said_last_when_the_cause_lies_in_it
}

/// Fails for an order that is too large, and says so line by line before.
fn pay() -> Workflow<u32, u32> {
    let code = |cx: Cx, order: u32| async move {
        for n in 1..=order.min(12) {
            cx.log().info(format!("line {n} of attempt {}", cx.attempt()));
        }
        match order {
            0..=10 => Ok(order),
            11..=99 => Err(anyhow::anyhow!("order {order} is too large")),
            _ => Err(anyhow::anyhow!("order is refused")),
        }
    };
    let dag = Workflow::dag("pay");
    let other = dag.task("other", |cx: Cx, _: u32| async move {
        cx.log().error("of another task");
        Ok::<_, CxError>(())
    });
    let pay = dag
        .task_after("pay", &other, move |cx: Cx, order: u32, ()| code(cx, order))
        .retry(Retry::fixed(std::time::Duration::from_millis(1)).max_attempts(2));
    dag.output(&pay)
}

async fn failed<O>(run: &RunHandle<O>) {
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Failed);
}

async fn fail(runtime: &Runtime, order: u32) -> RunId {
    let run = runtime.run(&pay(), order).start().await.unwrap();
    failed(&run).await;
    run.id()
}

async fn why(runtime: &Runtime, run: RunId) -> Why {
    runtime.why(run).await.unwrap().expect("a run")
}

async fn runs_that_failed_for_the_same_cause_are_counted_and_named(ground: impl Ground) {
    let runtime = ground.builder().workflow(pay()).start().await.unwrap();
    let mut runs = Vec::new();
    for order in 20..25 {
        runs.push(fail(&runtime, order).await);
    }
    let alone = fail(&runtime, 500).await;
    let elsewhere = runtime.run(&pay(), 26).namespace("acme").start().await.unwrap();
    failed(&elsewhere).await;
    let good = runtime.run(&pay(), 1).start().await.unwrap();
    soon("its end", good.wait()).await.unwrap();

    let similar = why(&runtime, runs[2]).await.similar.expect("a group");
    assert_eq!((similar.day, similar.all, similar.capped), (4, 4, false));
    assert_eq!(similar.newest, [runs[4], runs[3], runs[1]]);
    let found = runtime.list(&Search::new(similar.filter.to_string().parse().unwrap())).await.unwrap();
    let found: Vec<RunId> = found.data.iter().map(|run| run.run).collect();
    assert_eq!(found, runs.iter().rev().copied().collect::<Vec<_>>());
    let groups = runtime.failures(&Search::new("".parse().unwrap())).await.unwrap();
    assert!(groups.groups.iter().any(|group| group.fingerprint == similar.fingerprint && group.count == 5));

    let similar = why(&runtime, alone).await.similar.expect("a group");
    assert_eq!((similar.all, similar.newest), (0, vec![]));
    let similar = why(&runtime, elsewhere.id()).await.similar.expect("a group");
    assert_eq!(similar.all, 0, "those of another namespace are not told");
    assert_eq!(why(&runtime, good.id()).await.similar, None);
}

async fn what_the_failed_attempt_said_last(ground: impl Ground) {
    let runtime = ground.builder().workflow(pay()).start().await.unwrap();
    let run = fail(&runtime, 20).await;
    until("its lines are kept", async || why(&runtime, run).await.lines.len() == 10).await;

    let lines = why(&runtime, run).await.lines;

    let said: Vec<&str> = lines.iter().map(|line| line.line.message.as_str()).collect();
    let told: Vec<String> = (3..=12).map(|n| format!("line {n} of attempt 2")).collect();
    assert_eq!(said, told);
    assert!(lines.iter().all(|line| line.task.as_str() == "pay" && line.line.level == Level::Info));
}

async fn what_a_child_said_last_when_the_cause_lies_in_it(ground: impl Ground) {
    let above = Workflow::function("above", |cx: Cx, order: u32| async move {
        cx.log().info("not the cause");
        cx.child(&pay(), order).await
    });
    let runtime = ground.builder().workflow(pay()).workflow(above.clone()).start().await.unwrap();
    let run = runtime.run(&above, 20).start().await.unwrap();
    failed(&run).await;
    let said = async || why(&runtime, run.id()).await.lines;
    until("its lines are kept", async || said().await.len() == 10).await;
    assert_eq!(said().await[9].line.message, "line 12 of attempt 2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_similar_runs_the_newest_10_000_are_counted() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(pay()).start().await.unwrap();
    let run = fail(&runtime, 20).await;
    let print = why(&runtime, run).await.similar.unwrap().fingerprint;
    // One a minute, back from the run that is asked about: a day has 1,440.
    let fill = |from: u32, to: u32| {
        format!(
            "begin;
             create temporary table filled on commit drop as
                 select at, (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7000' || '8'
                            || lpad(to_hex(n), 15, '0'))::uuid as run
                 from (select n, clock_timestamp() - n * interval '1 min' as at from generate_series({from}, {to}) n) s;
             insert into runlog.runs (id, namespace, workflow, version, status, priority, created_at, started_at, finished_at,
                                      metadata, failed_task, error_kind, error_message, fingerprint)
                 select run, 'default', 'pay', '1', 'RUNNING', 0, at, at, at, '{{}}', 'pay', 'k', 'm', '{print}' from filled;
             update runlog.runs set status = 'FAILED' where id in (select run from filled);
             commit"
        )
    };
    ground.psql(&fill(1, 3_000)).await.unwrap();
    let similar = why(&runtime, run).await.similar.unwrap();
    assert_eq!((similar.day, similar.all, similar.capped), (1_439, 3_000, false));

    ground.psql(&fill(3_001, 10_500)).await.unwrap();
    let similar = why(&runtime, run).await.similar.unwrap();
    assert_eq!((similar.day, similar.all, similar.capped), (1_439, 10_000, true));
}
