//! Lists on many rows: which index leads to them, and where a search stops.

use runlog::model::filter::keys::KEYS;
use runlog::model::{Filter, Namespace};
use runlog::store::{RunPage, RunQuery, Store};

use super::*;

/// Rows of the population: more than one search reads.
const RUNS: i64 = 60_000;

/// Makes ended runs, one a second up to now: a tenth failed; the oldest hundred are of version 0.
const POPULATION: &str = "
    insert into runlog.runs (id, namespace, workflow, version, key, status, priority, created_at, started_at, finished_at,
                             metadata, trigger, trigger_id, replay_of, node, failed_task, error_kind, error_message, fingerprint)
    select run, 'default', 'w' || n % 20, case when n <= 100 then '0' else '1' end,
           case when n % 10 = 0 then 'order-' || n end, 'RUNNING', 0, at, at,
           at + case when n % 1000 = 0 then interval '1 minute' else interval '10 ms' end,
           jsonb_build_object('team', 'payments', 'order', n::text), 'manual',
           case when n % 100 = 0 then 'evt-' || n end, case when n % 1000 = 0 then run end, 1 + n % 3,
           case when n % 10 = 0 then 'charge' end, case when n % 10 = 0 then 'Declined' end,
           case when n % 10 = 0 then 'order declined' end, case when n % 10 = 0 then lpad(to_hex(n % 7), 12, '0') end
    from (
        select n, at, (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7000' || '8' || lpad(to_hex(n), 15, '0'))::uuid as run
        from (select n, clock_timestamp() - ($runs - n) * interval '1 s' as at from generate_series(1, $runs) n) s
    ) s";

async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage.psql(&POPULATION.replace("$runs", &RUNS.to_string())).await.unwrap();
    let end = "update runlog.runs set status =
               (case when error_kind is null then 'SUCCEEDED' else 'FAILED' end)::runlog.run_status";
    stage.psql(end).await.unwrap();
    stage.psql("vacuum analyze runlog.runs").await.unwrap();
    stage
}

/// Puts a copy of every second run into the archive, 40 days earlier.
const ARCHIVED: &str = "
    insert into runlog.archived_runs (id, namespace, workflow, version, key, status, priority, created_at, started_at,
                                      finished_at, claims, mail, metadata, trigger, trigger_id, trigger_key, parent, replay_of,
                                      node, failed_task, error_kind, error_message, fingerprint, events, log)
    select (substr(runlog.first_id(at)::text, 1, 14) || substr(id::text, 15))::uuid, namespace, workflow, version, key,
           status, 0, at, started_at - interval '40 days', finished_at - interval '40 days', 1, 0, metadata, trigger,
           trigger_id, case when trigger_id is not null then 'user' end, replay_of, replay_of, node, failed_task, error_kind,
           error_message, fingerprint, 1, repeat(' ', 2048)
    from (select *, created_at - interval '40 days' as at from runlog.runs) r
    where right(id::text, 1) in ('0', '2', '4', '6', '8', 'a', 'c', 'e')";

async fn stage_with_archive() -> Stage {
    let stage = stage().await;
    stage.psql(ARCHIVED).await.unwrap();
    stage.psql("vacuum analyze runlog.archived_runs").await.unwrap();
    stage
}

impl Stage {
    fn query(&self, filter: &str) -> RunQuery {
        let filter: Filter = filter.parse().unwrap_or_else(|error| panic!("{filter}: {error}"));
        RunQuery { namespace: Namespace::default(), filter, now: self.clock.now(), before: None, limit: 50 }
    }

    async fn list(&self, filter: &str) -> RunPage {
        self.store.list(&self.query(filter)).await.unwrap()
    }
}

#[tokio::test]
async fn every_documented_filter_is_led_by_an_index_of_each_table() {
    let stage = stage_with_archive().await;
    let expected = [
        ("", "runs_pkey"),
        ("since:24h", "runs_pkey"),
        ("until:2026-11-25", "runs_pkey"),
        ("id:0198f3a2", "runs_pkey"),
        ("status:failed", "runs_status"),
        ("status:failed,timed_out", "runs_status"),
        ("status:running,queued", "runs_status"),
        ("is:failed", "runs_status"),
        ("workflow:w3", "runs_workflow"),
        ("workflow:w3,w4", "runs_workflow"),
        ("workflow:w3 status:failed", "runs_failed"),
        ("error:declined", "runs_status"),
        ("kind:Declined workflow:w3", "runs_failed"),
        ("fp:000000000003", "runs_fingerprint"),
        ("fp:00000000000", "runs_fingerprint"),
        // What `why` asks for runs that failed for the same cause.
        ("fp:000000000003 -id:0198f3a27c117d449f00aabbccddeeff", "runs_fingerprint"),
        ("fp:000000000003 -id:0198f3a27c117d449f00aabbccddeeff since:24h", "runs_fingerprint"),
        ("key:order-10", "runs_keyed"),
        ("key:order-100*", "runs_keyed"),
        ("meta.order:77", "runs_metadata"),
        ("event:evt-100", "runs_trigger_id"),
        ("parent:0198f3a2-7c11-7d44-9f00-aabbccddeeff", "runs_parent"),
        ("replay_of:0198f3a2-7c11-7d44-9f00-aabbccddeeff", "runs_replay_of"),
        ("duration:>30s", "runs_slow"),
        ("trigger_key:nightly", "runs_trigger_key"),
    ];
    let archived = [("is:archived", "runs_pkey"), ("is:archived workflow:w3", "runs_workflow")];
    let documented = KEYS.iter().map(|key| (key.example, ""));
    for (filter, index) in expected.into_iter().chain(archived).chain(documented) {
        let plans = stage.store.explain(&stage.query(filter)).await.unwrap();
        assert!(!plans.is_empty());
        for plan in &plans {
            assert!(!plan.contains("Seq Scan on"), "{filter}\n{plan}");
            assert!(!plan.contains("events"), "{filter} reads a log\n{plan}");
        }
        let parsed = stage.query(filter).filter;
        for (table, is_asked, index) in [
            ("runs", parsed.may_be_unarchived(), index.to_owned()),
            (
                "archived_runs",
                parsed.may_be_archived(),
                format!("archived_{}", index.replace("keyed", "key")),
            ),
        ] {
            let leads = |plan: &&String| plan.contains(&format!(" {index} ")) || plan.ends_with(&index);
            let asks = |plan: &&String| plan.contains(&format!(" on {table} "));
            assert_eq!(
                plans.iter().any(|plan| asks(&plan)),
                is_asked,
                "{filter}: {table}\n{}",
                plans.join("\n")
            );
            let is_led = index.ends_with('_') || plans.iter().any(|plan| leads(&plan));
            assert!(is_led || !is_asked, "{filter} without {index}\n{}", plans.join("\n"));
        }
    }
}

/// The planner thinks that the runs of a common workflow are everywhere; beneath a burst of another's they are not.
#[tokio::test]
async fn what_is_common_is_led_by_its_own_index_too() {
    let stage = stage().await;
    stage.psql("update runlog.runs set workflow = 'common' where error_kind is null").await.unwrap();
    stage.psql("vacuum analyze runlog.runs").await.unwrap();
    for filter in ["workflow:common", "workflow:common since:7d", "status:failed since:7d", "status:failed"] {
        for plan in stage.store.explain(&stage.query(filter)).await.unwrap() {
            assert!(!plan.contains("Backward using runs_pkey on runs"), "{filter}\n{plan}");
        }
    }
}

#[tokio::test]
async fn archived_runs_are_listed_and_counted_with_the_others_unless_left_out() {
    let stage = stage_with_archive().await;
    let old = "until:35d";
    let all = stage.list(old).await;
    assert_eq!(all.runs.len(), 50);
    assert!(all.runs.iter().all(|run| run.archived) && all.next.is_some());
    assert_eq!(stage.list(&format!("{old} is:archived")).await, all);
    assert_eq!(stage.list(&format!("{old} -is:archived")).await, RunPage::default());
    let key = stage.list("key:order-100").await.runs;
    assert_eq!(key.iter().map(|run| run.archived).collect::<Vec<_>>(), [false, true]);
    let count = async |filter: &str| stage.store.count(&stage.query(filter)).await.unwrap().total();
    assert_eq!(count("event:evt-100,evt-200").await, 4);
    assert_eq!(count("event:evt-100,evt-200 is:archived").await, 2);
    assert_eq!(count("event:evt-100,evt-200 -is:archived").await, 2);
    assert_eq!(count("is:archived -is:archived").await, 0);
    let failed = async |filter: &str| {
        let groups = stage.store.failures(&stage.query(filter)).await.unwrap();
        (groups.groups.len(), groups.groups.iter().map(|group| group.count).sum::<u64>())
    };
    assert_eq!(failed("is:failed").await, (7, 12_000));
    assert_eq!(failed("is:failed is:archived").await, (7, 6_000));
}

#[tokio::test]
async fn the_last_good_run_is_found_by_indexes_of_each_table() {
    let stage = stage_with_archive().await;
    let run = stage.list("workflow:w10 status:failed").await.runs[0].run;
    let explain = concat!("explain ", "\n", include_str!("../../../../src/store/postgres/sql/last_good.sql"));
    let plan = sqlx::query_scalar::<_, String>(explain).bind(run.uuid()).bind(32_i64).bind(20_000_i64);
    let plan = plan.fetch_all(&stage.pool).await.unwrap().join("\n");
    for index in ["runs_pkey", "archived_runs_pkey", "runs_workflow", "archived_runs_workflow"] {
        assert!(plan.contains(&format!("using {index} on")), "{index}\n{plan}");
    }
    assert!(!plan.contains("Seq Scan"), "{plan}");
}

#[tokio::test]
async fn runs_that_failed_alike_are_counted_by_their_index() {
    let stage = stage_with_archive().await;
    let run = stage.list("workflow:w10 status:failed").await.runs[0].run;
    let explain = concat!("explain ", "\n", include_str!("../../../../src/store/postgres/sql/alike.sql"));
    let plan = sqlx::query_scalar::<_, String>(explain).bind(run.uuid()).bind(10_000_i64).bind(3_i32);
    let plan = plan.fetch_all(&stage.pool).await.unwrap().join("\n");
    for index in ["runs_pkey", "archived_runs_pkey", "runs_fingerprint"] {
        assert!(plan.contains(&format!("using {index} on")), "{index}\n{plan}");
    }
    assert!(!plan.contains("Seq Scan"), "{plan}");
}

#[tokio::test]
async fn a_tenants_runs_are_led_by_an_index_of_their_own() {
    let stage = stage().await;
    let tenant = RunQuery { namespace: Namespace::new("acme").unwrap(), ..stage.query("") };
    let plans = stage.store.explain(&tenant).await.unwrap();
    assert!(
        plans.iter().all(|plan| plan.contains("runs_tenant") || plan.contains("runs_pkey")),
        "{plans:#?}"
    );
    assert!(plans.iter().any(|plan| plan.contains("runs_tenant")), "{plans:#?}");
    assert_eq!(stage.store.list(&tenant).await.unwrap(), RunPage::default());
}

#[tokio::test]
async fn a_search_stops_says_so_and_goes_on() {
    let stage = stage().await;
    let mut query = stage.query("version:0");
    let first = stage.store.list(&query).await.unwrap();
    assert_eq!(first.runs, []);
    let searched_to = first.searched_to.expect("it stopped");
    assert_eq!(searched_to, first.next.unwrap().created_at());
    let searched = (stage.clock.now() - searched_to).to_std().unwrap();
    assert!((19_990..21_000).contains(&searched.as_secs()), "{searched:?}");

    query.before = first.next;
    let second = stage.store.list(&query).await.unwrap();
    assert!(second.runs.is_empty() && second.searched_to.is_some(), "{second:?}");
    query.before = second.next;
    let second = stage.store.list(&query).await.unwrap();
    assert_eq!((second.runs.len(), second.searched_to), (50, None));
    query.before = second.next;
    let third = stage.store.list(&query).await.unwrap();
    assert_eq!((third.runs.len(), third.next), (50, None));

    let count = stage.store.count(&stage.query("version:0")).await.unwrap();
    assert_eq!((count.total(), count.capped), (0, true));
    let count = stage.store.count(&stage.query("version:0 key:order-100")).await.unwrap();
    assert_eq!((count.total(), count.capped), (1, false));
}

#[tokio::test]
async fn a_tag_of_every_run_is_searched_from_the_newest_on() {
    let stage = stage().await;
    let all = stage.list("").await;
    assert_eq!(stage.list("meta.team:payments").await, all);
    let one = stage.list("meta.order:77").await;
    assert_eq!((one.runs.len(), one.next), (1, None));
    assert_eq!(stage.list("meta.team:payments meta.order:77").await, one);
    assert_eq!(stage.list("meta.team:fraud").await, RunPage::default());
}

#[tokio::test]
async fn failures_are_counted_up_to_the_limit_of_a_search() {
    let stage = stage().await;
    let groups = stage.store.failures(&stage.query("")).await.unwrap();
    assert!(groups.capped, "60,000 runs are more than are looked at");
    let groups = stage.store.failures(&stage.query("is:failed")).await.unwrap();
    assert_eq!((groups.groups.len(), groups.capped), (7, false));
    assert_eq!(groups.groups.iter().map(|group| group.count).sum::<u64>(), 6_000);
}
