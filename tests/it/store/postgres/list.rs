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
async fn every_documented_filter_is_led_by_an_index() {
    let stage = stage().await;
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
    let documented = KEYS.iter().map(|key| (key.example, ""));
    for (filter, index) in expected.into_iter().chain(documented) {
        let plans = stage.store.explain(&stage.query(filter)).await.unwrap();
        assert!(!plans.is_empty());
        for plan in &plans {
            assert!(!plan.contains("Seq Scan on runs"), "{filter}\n{plan}");
            assert!(!plan.contains("events"), "{filter} reads a log\n{plan}");
        }
        assert!(
            plans.iter().any(|plan| plan.contains(index)),
            "{filter} without {index}\n{}",
            plans.join("\n")
        );
    }
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
