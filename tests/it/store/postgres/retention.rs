//! What a step of a retention pass looks at.

use runlog::store::{Archive, PassBegun, Policy, PolicyScope, Step};

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Puts a run into the archive that was created and ended so many days ago.
async fn archived(stage: &Stage, days: u32) {
    let sql = format!(
        "insert into runlog.archived_runs (id, namespace, workflow, version, status, priority, created_at, finished_at,
                                           claims, mail, events, log)
         select runlog.first_id(at), 'default', 'w', '1', 'SUCCEEDED', 0, at, at, 1, 0, 1, ' '
         from (select clock_timestamp() - interval '{days} days' as at) s"
    );
    let id = "update runlog.archived_runs set id = overlay(id::text placing '7000-8' from 15)::uuid
              where substr(id::text, 15, 1) = '0'";
    stage.psql(&sql).await.unwrap();
    stage.psql(id).await.unwrap();
}

async fn delete_after(stage: &Stage, after: Option<Duration>) {
    let policy = Policy { scope: PolicyScope::default(), archive_after: Some(DAY), delete_after: after };
    stage.store.set_policy(&policy).await.unwrap();
}

#[tokio::test]
async fn only_what_can_be_due_is_looked_at_for_deletion() {
    let stage = Stage::new().await;
    for days in [300, 200, 3] {
        archived(&stage, days).await;
    }
    let begun = stage.store.begin_pass("test", true).await.unwrap();
    assert!(matches!(begun, PassBegun::Yours { .. }), "{begun:?}");
    let begin = Step::Delete { after: None, looks: 50 };

    delete_after(&stage, None).await;
    let never = stage.store.prune(&begin).await.unwrap();
    assert_eq!((never.tally.deleted, never.next), (0, Some(Step::Drop)), "nothing is ever deleted");
    delete_after(&stage, Some(400 * DAY)).await;
    let too_young = stage.store.prune(&begin).await.unwrap();
    assert_eq!((too_young.tally.deleted, too_young.next), (0, Some(Step::Drop)), "all are too young");
    delete_after(&stage, Some(100 * DAY)).await;
    let due = stage.store.prune(&begin).await.unwrap();
    assert_eq!(due.tally.deleted, 2);
    let Some(next @ Step::Delete { after: Some(_), .. }) = due.next else { panic!("{due:?}") };
    assert_eq!(stage.store.prune(&next).await.unwrap().next, Some(Step::Drop));
    assert_eq!(stage.count("select count(*) from runlog.archived_runs").await, 1);
}

#[tokio::test]
async fn a_step_looks_at_more_while_there_is_nothing_to_do() {
    let stage = Stage::new().await;
    let live = "insert into runlog.runs (id, namespace, workflow, version, status, priority, created_at)
                select overlay(runlog.first_id(clock_timestamp() - interval '3 days' + n * interval '1 s')::text placing '7000-8' from 15)::uuid,
                       'default', 'w', '1', 'QUEUED', 0, clock_timestamp()
                from generate_series(1, 2000) n";
    stage.psql(live).await.unwrap();
    let ended = "insert into runlog.events (run_id, seq, kind, schema_version, time, payload)
                 select id, 1, 'run_created', 1, created_at, '{}' from runlog.runs order by id desc limit 1;
                 set session_replication_role = replica;
                 update runlog.runs set status = 'SUCCEEDED', finished_at = clock_timestamp() - interval '2 days'
                 where id = (select run_id from runlog.events)";
    stage.psql(ended).await.unwrap();
    delete_after(&stage, None).await;
    stage.store.begin_pass("test", true).await.unwrap();
    let mut next = Some(Step::FIRST);
    let (mut looked, mut archived) = (Vec::new(), 0);
    while let Some(step) = next {
        if let Step::Archive { looks, .. } = step {
            looked.push(looks);
        }
        let done = stage.store.prune(&step).await.unwrap();
        archived += done.tally.archived;
        next = done.next;
    }
    assert_eq!((looked, archived), (vec![50, 100, 200, 400, 500, 500, 500, 50], 1));
}
