//! Schedules on several nodes of one database.

use std::time::Duration;

use runlog::{Runtime, Schedule};

use crate::support::{Ground, Postgres, echo, until};

const LEASE: Duration = Duration::from_millis(800);

async fn node(ground: &Postgres) -> Runtime {
    let pulse = |name: &str| Schedule::cron_by_name(name, "* * * * * *", "echo", "1");
    let builder = ground.builder().workflow(echo()).lease(LEASE).poll_interval(Duration::from_millis(50));
    let declared = ["one", "two", "three"].into_iter().fold(builder, |node, name| node.schedule(pulse(name)));
    declared.start().await.expect("a node")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_nodes_that_crash_and_come_back_start_each_occurrence_once() {
    let ground = Postgres::new().await;
    let mut nodes = Vec::new();
    for _ in 0..5 {
        nodes.push(node(&ground).await);
    }
    let fired = "select min(fired) from runlog.schedules";
    for turn in 1..=4 {
        until("some occurrences were started", async || ground.count(fired).await >= 2 * turn).await;
        nodes.remove(0).crash();
        nodes.push(node(&ground).await);
    }
    for name in ["one", "two", "three"] {
        nodes[0].schedules().pause(&[name], "the test").await.expect("a pause");
    }
    let occurrence =
        "from runlog.runs r join runlog.events e on e.run_id = r.id and e.seq = 1 where r.trigger = 'cron'";
    let runs = ground.count(&format!("select count(*) {occurrence}")).await;
    let due = "(r.trigger_key, e.payload::jsonb #>> '{trigger,cron,due}')";
    assert_eq!(ground.count(&format!("select count(distinct {due}) {occurrence}")).await, runs, "each once");
    assert_eq!(
        ground.count("select sum(fired)::bigint from runlog.schedules").await,
        runs,
        "each is counted"
    );
    assert_eq!(ground.count("select count(*) from runlog.occurrences").await, runs, "each is known");
    // A node was always there, so that none is missing between the first and the last.
    let seconds = "select sum(1 + extract(epoch from last - first))::bigint
                   from (select min(due) as first, max(due) as last from runlog.occurrences group by schedule) span";
    assert_eq!(ground.count(seconds).await, runs, "none was left out");
    until("all of them have ended", async || ground.unfinished().await == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_schedules_that_are_not_due_cost_a_look_at_an_index() {
    let ground = Postgres::new().await;
    let node = ground.builder().workflow(echo()).start().await.expect("a node");
    ground
        .psql(
            "insert into runlog.schedules (namespace, name, workflow, once_at, input, misfire, next_at, wake_at)
             select 'default', n::text, 'echo', at, 'null', 'once', at, at
             from (select n, now() + interval '1 day' + n * interval '1 s' as at from generate_series(1, 100000) n) x;
             analyze runlog.schedules",
        )
        .await
        .expect("schedules");
    let plan: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "explain (analyze, costs off, timing off, summary off, buffers) {}",
        include_str!("../../../src/store/postgres/sql/next_schedule.sql")
    )))
    .fetch_all(&ground.pool)
    .await
    .expect("a plan");
    let plan = plan.join("\n");
    assert!(plan.contains("schedules_wake") && !plan.contains("Seq Scan"), "{plan}");
    let buffers: u32 = plan
        .lines()
        .find_map(|line| {
            line.trim().strip_prefix("Buffers: shared hit=")?.split_whitespace().next()?.parse().ok()
        })
        .expect("buffers");
    assert!(buffers <= 8, "{plan}");
    let one = node.schedules().get("77777").await.expect("a question").expect("a schedule");
    assert_eq!(one.fired, 0);
}
