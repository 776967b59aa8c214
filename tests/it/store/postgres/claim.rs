//! The dispatch index.

use runlog::store::{Served, Store, Wanted};
use sqlx::postgres::types::PgInterval;

use super::*;

fn wanted(limit: usize) -> Wanted {
    let served = Served { workflow: workflow(), version: version(), slots: usize::MAX };
    Wanted { served: vec![served], limit, ..Wanted::default() }
}

#[tokio::test]
async fn a_claim_takes_what_is_due_up_to_its_limit_and_says_when_the_next_is() {
    let stage = Stage::new().await;
    let mut starts: Vec<_> = (0..4).map(|_| born(stage.clock.new_run_id(), None, Status::Queued)).collect();
    let later = stage.clock.now() + Duration::from_secs(3_600);
    starts[0].born.as_mut().unwrap().wake_at = Some(later);
    stage.store.create(&starts).await.unwrap();

    let first = stage.store.claim(stage.node, &wanted(2)).await.unwrap();
    assert_eq!((first.runs.len(), first.next_due), (2, Some(later)));
    let second = stage.store.claim(stage.node, &wanted(2)).await.unwrap();
    assert_eq!(second.runs.len(), 1);
    assert_eq!(stage.store.claim(stage.node, &wanted(2)).await.unwrap().runs, []);
    let row = stage.store.row(second.runs[0]).await.unwrap().unwrap();
    assert_eq!((row.owner, row.wake_at, row.claims), (Some(stage.node), None, 1));
}

#[tokio::test]
async fn a_claim_takes_runs_of_any_workflow_that_are_named_written_to_or_late() {
    let stage = Stage::new().await;
    let mut starts: Vec<_> = (0..4).map(|_| born(stage.clock.new_run_id(), None, Status::Queued)).collect();
    starts.iter_mut().for_each(|start| start.born.as_mut().unwrap().wake_at = None);
    starts[2].born.as_mut().unwrap().deadline_at = Some(stage.clock.now() - Duration::from_secs(1));
    stage.store.create(&starts).await.unwrap();
    stage.store.send(starts[1].run, &super::mail::cancel()).await.unwrap();

    let wanted = Wanted { runs: vec![starts[0].run], limit: 10, ..Wanted::default() };
    let mut claimed = stage.store.claim(stage.node, &wanted).await.unwrap().runs;
    claimed.sort_unstable();
    assert_eq!(claimed, [starts[0].run, starts[1].run, starts[2].run]);
    let again = stage.store.claim(stage.node, &wanted).await.unwrap();
    assert_eq!((again.runs, again.mailed), (vec![], vec![starts[1].run]));
}

#[tokio::test]
async fn two_nodes_never_claim_the_same_run() {
    let stage = Stage::new().await;
    let other = PostgresStore::open(stage.pool.clone(), 2, false).await.unwrap();
    let node = other.join(&info(), 2, LEASE).await.unwrap().node;
    let starts: Vec<_> = (0..200).map(|_| born(stage.clock.new_run_id(), None, Status::Queued)).collect();
    stage.store.create(&starts).await.unwrap();
    let mut claimed = Vec::new();
    while claimed.len() < starts.len() {
        let wanted = wanted(7);
        let (one, two) = tokio::join!(stage.store.claim(stage.node, &wanted), other.claim(node, &wanted));
        claimed.extend(one.unwrap().runs.into_iter().chain(two.unwrap().runs));
    }
    claimed.sort_unstable();
    claimed.dedup();
    assert_eq!(claimed.len(), starts.len());
}

#[tokio::test]
async fn a_claim_reads_the_dispatch_index_and_no_whole_table() {
    let stage = Stage::new().await;
    let fill = "insert into runlog.runs (id, namespace, workflow, version, status, priority, wake_at, created_at) \
                select gen_random_uuid(), 'default', 'checkout', '1', 'QUEUED', 0, now(), now() \
                from generate_series(1, 50000)";
    stage.psql(fill).await.unwrap();
    stage.psql("analyze runlog.runs").await.unwrap();
    let explain = concat!("explain ", "\n", include_str!("../../../../src/store/postgres/sql/claim.sql"));
    let plan: Vec<String> = sqlx::query_scalar(explain)
        .bind(stage.node.0)
        .bind(["checkout"].as_slice())
        .bind(["1"].as_slice())
        .bind([stage.clock.new_run_id().uuid()].as_slice())
        .bind(100_i64)
        .bind(512_i64)
        .bind(0_i64)
        .bind([i32::MAX].as_slice())
        .bind(5_i16)
        .bind(PgInterval { months: 0, days: 0, microseconds: 60_000_000 })
        .fetch_all(&stage.pool)
        .await
        .unwrap();
    let plan = plan.join("\n");
    // The step from one namespace to the next reads runs_spaces, too; a plan does not show it.
    for (index, times) in [("runs_queue", 1), ("runs_due", 2), ("runs_spaces", 2)] {
        assert_eq!(plan.matches(&format!("using {index}")).count(), times, "{index}: {plan}");
    }
    assert!(plan.contains("using runs_deadline"), "{plan}");
    assert_eq!(
        plan.matches("on runs_suspects").count() + plan.matches("using runs_suspects").count(),
        3,
        "{plan}"
    );
    assert!(!plan.contains("Seq Scan on runs"), "{plan}");
}

#[tokio::test]
async fn claims_leave_nothing_behind_in_the_server_process_that_answers_them() {
    let stage = Stage::new().await;
    let claim = async || stage.store.claim(stage.node, &wanted(1)).await.unwrap();
    claim().await;
    let process = "select pid from pg_stat_activity
        where datname = current_database() and query like '-- Gives unowned live runs%'";
    let process: i32 = sqlx::query_scalar(process).fetch_one(&stage.pool).await.unwrap();
    // Of its own, without what it shares with the others (proc(5)). Where there is no /proc, or the server is elsewhere,
    // only that the claims answer is seen.
    let memory_kib = || {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.strip_suffix(" kB"));
        line.map_or(0, |kib| kib.trim().parse::<i64>().unwrap())
    };
    for _ in 0..50 {
        claim().await;
    }
    let before = memory_kib();
    for _ in 0..300 {
        claim().await;
    }
    let grown = memory_kib() - before;
    assert!(grown < 4_096, "{grown} KiB more after 300 claims");
}

#[tokio::test]
async fn who_leaves_a_gate_while_it_is_looked_at_leaves_its_slot_to_the_next() {
    let stage = Stage::new().await;
    stage
        .psql("insert into runlog.limits values ('checkout', 'any', 1, 'queue', '\"workflow\"')")
        .await
        .unwrap();
    let mut starts: Vec<_> = (0..2).map(|_| born(stage.clock.new_run_id(), None, Status::Queued)).collect();
    for start in &mut starts {
        start.born.as_mut().unwrap().limit_key = Some(String::new());
    }
    stage.store.create(&starts).await.unwrap();
    let [first, next] = [starts[0].run, starts[1].run];

    // Its cancellation brings the first to a node, just as it is to be let in.
    let mut taker = stage.pool.begin().await.unwrap();
    let take = sqlx::query("update runlog.runs set owner = $2 where id = $1").bind(first.uuid());
    take.bind(stage.node.0).execute(&mut *taker).await.unwrap();
    let looking = Wanted { limited: true, ..wanted(9) };
    let (claimed, ()) = tokio::join!(stage.store.claim(stage.node, &looking), async {
        stage.until_blocked("let_in").await;
        taker.commit().await.unwrap();
    });
    assert_eq!(claimed.unwrap().runs, []);
    let end = format!(
        "update runlog.runs set status = 'CANCELLED', finished_at = now(), owner = null where id = '{}'",
        first.uuid()
    );
    stage.psql(&end).await.unwrap();

    assert_eq!(stage.store.claim(stage.node, &looking).await.unwrap().runs, [next]);
}
