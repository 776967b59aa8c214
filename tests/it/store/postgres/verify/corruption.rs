//! Each invariant finds what it is there to find, and no other one does.
//!
//! A corruption is SQL on a copy of a sound database, done past every trigger. `{run}` is the run it is told of.

use runlog::RunId;
use runlog::store::postgres::INVARIANTS;

use super::sound::sound;
use super::*;

macro_rules! corruptions {
    ($($test:ident: $invariant:ident of $workflow:literal $key:literal at $seqs:expr, $sql:literal;)+) => {
        /// The invariants that have a corruption.
        const SEEDED: &[&str] = &[$(stringify!($invariant)),+];

        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            assert_found(stringify!($invariant), ($workflow, $key), &$seqs, $sql).await;
        })+
    };
}

/// Corrupts a sound database and says that this invariant alone reports it, once.
async fn assert_found(invariant: &str, (workflow, key): (&str, &str), seqs: &[i32], sql: &str) {
    let ground = sound().await;
    let named = "select id from runlog.runs where workflow = $1 and key = $2
                 union select id from runlog.archived_runs where workflow = $1 and key = $2";
    let run: uuid::Uuid =
        sqlx::query_scalar(named).bind(workflow).bind(key).fetch_one(&ground.pool).await.expect(key);
    assert_holds(&ground.pool, &Scope::default()).await;

    corrupt(&ground, &sql.replace("{run}", &run.to_string())).await;

    let report = verify(&ground.pool, &Scope::default()).await.unwrap();
    let found: Vec<_> =
        report.violations().map(|found| (found.invariant, found.run, &found.seqs[..])).collect();
    assert_eq!(found, [(invariant, RunId::from_uuid(run), seqs)], "{}", told(&report).join("\n"));
}

async fn corrupt(ground: &Postgres, sql: &str) {
    let past_triggers = "begin; set local session_replication_role = replica;";
    ground.psql(&format!("{past_triggers} {sql}; commit")).await.expect(sql);
}

#[test]
fn every_invariant_has_a_corruption_that_it_alone_reports() {
    for Invariant { name, .. } in INVARIANTS {
        assert!(SEEDED.contains(name), "{name} has none");
    }
}

corruptions! {
    an_event_with_a_run_of_another: a_trigger_event_has_its_runs of "echo" "echo" at [],
        "update runlog.trigger_events set outcomes = outcomes::jsonb || '{\"subscription\": \"s\", \"run\": \"{run}\"}'";
    a_run_that_no_event_started: a_run_of_an_event_is_its_outcome of "echo" "echo" at [1],
        "update runlog.runs set trigger = 'event', trigger_id = 'evt_1', trigger_key = 'said' where id = '{run}'";
    an_occurrence_of_a_run_that_nobody_scheduled: an_occurrence_has_its_run of "echo" "echo" at [],
        "insert into runlog.occurrences (schedule, due, run_id) select id, now(), '{run}' from runlog.schedules";
    a_run_for_an_occurrence_of_another: a_scheduled_run_has_its_occurrence of "echo" "echo" at [1],
        "update runlog.runs set trigger = 'cron', trigger_key = (select name from runlog.schedules) where id = '{run}';
         update runlog.schedules set created_at = created_at - interval '1 h'";
    a_schedule_that_nobody_takes_up: no_schedule_is_overdue of "echo" "echo" at [],
        "update runlog.schedules set wake_at = now() - interval '1 min', last_run = '{run}'";
    a_stream_with_a_hole: a_stream_is_dense of "echo" "echo" at [],
        "insert into runlog.chunks (run_id, stream, n, task, attempt, source, k, data)
         values ('{run}', 's', 1, 'echo', 1, 0, 0, '1'), ('{run}', 's', 3, 'echo', 1, 0, 2, '3')";
    a_run_without_its_log: every_run_has_its_log of "echo" "echo" at [],
        "delete from runlog.events where run_id = '{run}'";
    a_log_without_its_run: every_run_has_its_log of "echo" "echo" at [1, 6],
        "delete from runlog.runs where id = '{run}'";
    a_log_that_begins_with_something_else: log_begins_with_creation of "echo" "echo" at [1],
        "update runlog.events set kind = 'run_blocked' where run_id = '{run}' and seq = 1";
    a_hole_in_a_log: log_is_dense of "shaky" "shaky" at [11],
        "delete from runlog.events where run_id = '{run}' and seq = 11";
    an_event_after_the_end: nothing_follows_the_end of "echo" "echo" at [7],
        "select seed('{run}', 7, 'run_blocked', null, null, '{}')";
    a_second_end: nothing_follows_the_end of "echo" "echo" at [7],
        "select again('{run}', 6, 7)";
    a_status_that_the_log_does_not_know: status_is_the_fold of "echo" "echo" at [6],
        "update runlog.runs set status = 'FAILED' where id = '{run}'";
    a_live_status_after_the_end: status_is_the_fold of "echo" "echo" at [6],
        "update runlog.runs set status = 'RUNNING', wake_at = now() + '1 h' where id = '{run}'";
    a_success_out_of_the_queue: status_moves_along_the_table of "gate" "cancelled in the queue" at [1, 2],
        "update runlog.events set kind = 'run_succeeded' where run_id = '{run}' and seq = 2;
         update runlog.runs set status = 'SUCCEEDED' where id = '{run}'";
    an_end_at_another_time: row_is_the_fold of "echo" "echo" at [1, 2, 6],
        "update runlog.runs set finished_at = finished_at + interval '1 s' where id = '{run}'";
    a_row_of_another_workflow: row_is_the_fold of "echo" "echo" at [1, 2, 6],
        "update runlog.runs set workflow = 'gate', metadata = null where id = '{run}'";
    a_takeover_without_a_claim: a_stretch_opens_with_a_claim of "gate" "taken over" at [4, 5],
        "update runlog.events set kind = 'run_blocked' where run_id = '{run}' and seq = 5";
    an_event_of_a_node_that_lost_the_run: a_stretch_opens_with_a_claim of "sleeper" "napping" at [3, 4],
        "update runlog.events set node = (select min(id) from runlog.nodes) where run_id = '{run}' and seq = 4";
    a_retry_that_nobody_asked_for: attempts_follow_one_another of "shaky" "shaky" at [13, 14],
        "select set('{run}', 13, '{retry_at}', null)";
    an_attempt_with_two_ends: an_attempt_ends_once of "booking" "booking" at [6, 7],
        "select room('{run}', 7), again('{run}', 6, 7)";
    a_step_with_two_outcomes: a_step_is_completed_once of "booking" "booking" at [5, 6],
        "select room('{run}', 6), again('{run}', 5, 6)";
    a_child_with_two_ends: a_child_ends_once of "parent" "parent that waits" at [5, 7],
        "select again('{run}', 5, 7); update runlog.runs set mail = 2 where id = '{run}'";
    a_signal_that_came_twice: a_signal_arrives_once of "gate" "signalled" at [5, 6],
        "select again('{run}', 5, 6); update runlog.runs set mail = 2 where id = '{run}'";
    a_try_of_a_step_that_has_its_outcome: nothing_begins_after_its_completion of "booking" "booking" at [5, 6],
        "select room('{run}', 6), seed('{run}', 6, 'step_failed', 'booking', 1, '{\"op\": \"tell#0\"}')";
    an_attempt_at_a_task_that_has_its_output: nothing_begins_after_its_completion of "booking" "booking" at [6, 7],
        "select room('{run}', 7), seed('{run}', 7, 'attempt_started', 'booking', 2, '{}')";
    an_attempt_at_a_task_that_was_skipped: nothing_begins_after_its_completion of "skipping" "skipping" at [7, 8],
        "select room('{run}', 8), seed('{run}', 8, 'attempt_started', 'left', 1, '{}')";
    a_condition_whose_time_nobody_keeps: a_parked_run_can_wake of "tomorrow" "tomorrow" at [3],
        "update runlog.runs set wake_at = null where id = '{run}'";
    a_step_of_an_attempt_that_is_over: operations_stand_inside_their_attempt of "booking" "booking" at [6, 7],
        "select room('{run}', 7), seed('{run}', 7, 'step_completed', 'booking', 1, '{\"op\": \"late#0\"}')";
    something_taken_over_by_no_replay: a_replay_takes_over_first of "echo" "echo" at [2],
        "select room('{run}', 2), seed('{run}', 2, 'task_reused', 'x', 0, '{\"output\": 1}')";
    a_sleep_that_begins_twice: an_operation_begins_once of "sleeper" "napping" at [4, 5],
        "select again('{run}', 4, 5)";
    a_timer_that_fires_twice: a_wait_ends_once of "shaky" "shaky" at [10, 11],
        "select room('{run}', 11), again('{run}', 10, 11)";
    a_timer_that_fires_early: nothing_happens_early of "shaky" "shaky" at [9, 10],
        "select set('{run}', 9, '{fire_at}', to_jsonb(now() + interval '1 h'))";
    a_retry_that_begins_early: nothing_happens_early of "shaky" "shaky" at [13, 14],
        "select set('{run}', 13, '{retry_at}', to_jsonb(now() + interval '1 h'))";
    a_run_that_times_out_early: nothing_happens_early of "gate" "timed out" at [5],
        "select set('{run}', 5, '{deadline}', to_jsonb(now() + interval '1 h'))";
    a_signal_that_nobody_sent: no_message_is_delivered_twice of "gate" "signalled" at [5],
        "update runlog.runs set mail = 0 where id = '{run}'";
    a_signal_that_vanished: no_message_is_lost of "gate" "waiting" at [],
        "update runlog.runs set mail = 1 where id = '{run}'";
    a_child_of_nobody: parent_and_child_know_each_other of "parent" "parent that waits" at [4],
        "select set(id, 1, '{parent}', null) from runlog.runs where parent = '{run}';
         update runlog.runs set parent = null where parent = '{run}'";
    a_child_that_was_never_started: parent_and_child_know_each_other of "parent" "parent of a success" at [],
        "update runlog.events set kind = 'time_read' where run_id = '{run}' and seq = 4";
    a_child_that_ended_otherwise: a_childs_end_reaches_its_parent of "parent" "parent that waits" at [5],
        "select set('{run}', 5, '{outcome,status}', '\"FAILED\"')";
    a_child_that_ended_in_silence: a_childs_end_reaches_its_parent of "parent" "parent that waits" at [],
        "update runlog.events set kind = 'time_read', payload = '{\"op\":\"now#0\"}' where run_id = '{run}' and seq = 5;
         update runlog.runs set mail = 0 where id = '{run}'";
    a_child_that_is_left_behind: a_parents_end_reaches_its_children of "parent" "parent of a live one" at [],
        "select seed('{run}', 5, 'run_failed', null, null, '{}');
         update runlog.runs set status = 'FAILED', finished_at = (
             select time from runlog.events where run_id = '{run}' and seq = 5
         ) where id = '{run}'";
    a_queued_run_that_is_never_due: a_parked_run_can_wake of "gate" "queued" at [],
        "update runlog.runs set wake_at = null where id = '{run}'";
    a_run_that_oversleeps: a_parked_run_can_wake of "sleeper" "napping" at [4],
        "update runlog.runs set wake_at = wake_at + interval '1 h' where id = '{run}'";
    a_run_that_misses_its_timeout: a_parked_run_can_wake of "gate" "waiting" at [4],
        "select set('{run}', 4, '{deadline}', to_jsonb(now() + interval '1 h'))";
    a_message_that_wakes_nobody: a_parked_run_can_wake of "gate" "waiting" at [],
        "insert into runlog.inbox (run_id, body, sent_at) values ('{run}', '{}', now());
         update runlog.runs set mail = 1 where id = '{run}'";
    a_run_on_a_dead_node: an_owner_is_alive of "gate" "waiting" at [],
        "update runlog.leases set lease_until = now() - interval '1 h';
         update runlog.runs set owner = (select min(id) from runlog.nodes) where id = '{run}'";
    a_run_that_nobody_claims: no_wake_up_is_overdue of "gate" "queued" at [],
        "update runlog.runs set wake_at = now() - interval '1 h' where id = '{run}'";
    a_deadline_that_nobody_keeps: no_wake_up_is_overdue of "gate" "waiting" at [],
        "update runlog.runs set deadline_at = now() - interval '1 h' where id = '{run}'";
    a_run_more_than_the_limit_has_slots: no_more_run_than_the_limit of "gate" "waiting" at [2],
        "alter table runlog.limits drop constraint limits_slots_check;
         insert into runlog.limits values ('gate', 'none', 0, 'queue', '\"workflow\"', '2000-01-01');
         select set('{run}', 1, '{limit}', '{\"name\": \"none\", \"key\": \"\", \"problem\": null}')";
    a_start_more_than_the_rate_says: no_more_start_than_the_rate of "gate" "waiting" at [],
        "insert into runlog.limits values ('gate', 'none', 9, 'queue', '\"workflow\"', '2000-01-01', 1, 3600000);
         update runlog.runs set gate = gen_random_uuid(), limit_key = '', let_in_at = created_at where id = '{run}';
         update runlog.runs r set gate = w.gate, limit_key = '', let_in_at = w.let_in_at - interval '1 min'
         from runlog.runs w where w.id = '{run}' and r.key = 'queued'";
    a_run_let_in_before_its_key_was_quiet: no_run_is_let_in_before_its_key_is_quiet of "gate" "waiting" at [],
        "insert into runlog.limits values ('gate', 'none', 9, 'queue', '\"workflow\"', '2000-01-01', null, null, 60000);
         update runlog.runs set gate = gen_random_uuid(), limit_key = '', burst_at = created_at,
             let_in_at = created_at + interval '59 s'
         where id = '{run}'";
    a_timer_that_does_not_fire: no_timer_is_overdue of "sleeper" "napping" at [4],
        "select set('{run}', 4, '{fire_at}', to_jsonb(now() - interval '1 h'));
         update runlog.runs set owner = living(8), claimed_at = now() - interval '1 h', wake_at = null where id = '{run}'";
    a_message_that_nobody_takes: no_message_is_forgotten of "gate" "waiting" at [],
        "insert into runlog.inbox (run_id, body, sent_at) values ('{run}', '{}', now() - interval '1 h');
         update runlog.runs set owner = living(8), mail = 1 where id = '{run}'";
    a_message_to_a_run_that_has_ended: no_message_outlives_its_run of "echo" "echo" at [],
        "insert into runlog.inbox (run_id, body, sent_at) values ('{run}', '{}', now() - interval '1 h');
         update runlog.runs set mail = 1 where id = '{run}'";
    a_wait_by_key_that_no_sender_finds: a_wait_by_key_is_known of "gate" "waiting" at [4],
        "select set('{run}', 4, '{key}', '\"k\"')";
    a_kept_signal_that_a_run_waits_for: no_signal_by_key_is_forgotten of "gate" "waiting" at [],
        "insert into runlog.signal_waits values ('{run}', 'default', 'go', 'k', 1, now() - interval '1 h');
         insert into runlog.signals (namespace, sent_as, name, key, body, body_hash, state, sent_at)
         values ('default', '1', 'go', 'k', '{}', '', 'KEPT', now() - interval '1 h')";
    a_snapshot_of_what_never_happened: no_snapshot_is_ahead of "echo" "echo" at [99],
        "insert into runlog.snapshots values ('{run}', 99, 1, '')";
    a_live_run_in_the_archive: retention_touches_no_live_run of "gate" "waiting" at [],
        "insert into runlog.archived_runs (id, namespace, workflow, version, status, priority, created_at, finished_at, claims,
                                           mail, events, log)
         select '{run}', namespace, workflow, version, status, priority, created_at, finished_at, claims, mail, events, log
         from runlog.archived_runs";
    an_archived_child_of_a_live_run: retention_touches_no_live_run of "echo" "archived" at [],
        "update runlog.archived_runs set parent = (select id from runlog.runs where key = 'waiting') where id = '{run}'";
    an_archived_log_without_its_end: an_archived_log_is_whole of "echo" "archived" at [],
        "update runlog.archived_runs set log = regexp_replace(rtrim(log), E'\n[^\n]*\\Z', '') where id = '{run}'";
    an_archived_log_that_ends_otherwise: an_archived_log_is_whole of "echo" "archived" at [],
        "update runlog.archived_runs set status = 'FAILED' where id = '{run}'";
    a_part_of_no_archived_log: an_archived_log_is_whole of "echo" "echo" at [7, 9],
        "insert into runlog.archived_parts values ('{run}', 7, 9, '')";
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_not_overdue_while_every_node_that_serves_it_is_full() {
    let ground = sound().await;
    let sql = "update runlog.runs set wake_at = now() - interval '1 h' where key = 'queued';
               insert into runlog.served values (living(1), 'gate', '1', 8);
               update runlog.runs set owner = (select max(id) from runlog.nodes) where key = 'waiting'";
    corrupt(&ground, sql).await;
    assert_holds(&ground.pool, &Scope::default()).await;

    corrupt(&ground, "update runlog.nodes set slots = 2 where id = (select max(id) from runlog.nodes)").await;
    let report = verify(&ground.pool, &Scope::default()).await.unwrap();
    assert_eq!(report.count(), 1, "{}", told(&report).join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_a_paused_workflow_is_overdue_when_it_should_have_timed_out() {
    let ground = sound().await;
    let sql = "update runlog.runs set wake_at = now() - interval '1 h' where key = 'queued';
               insert into runlog.pauses (workflow, namespace) values ('gate', 'default')";
    corrupt(&ground, sql).await;
    assert_holds(&ground.pool, &Scope::default()).await;

    corrupt(&ground, "update runlog.runs set deadline_at = now() - interval '1 h' where key = 'queued'")
        .await;
    let report = verify(&ground.pool, &Scope::default()).await.unwrap();
    assert_eq!(report.count(), 1, "{}", told(&report).join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_may_kill_its_node_is_not_overdue_while_another_one_is_watched() {
    let ground = sound().await;
    let sql = "update runlog.runs set wake_at = now() - interval '1 h', deaths = 2 where key = 'queued';
               update runlog.runs set owner = living(8), deaths = 2 where key = 'waiting'";
    corrupt(&ground, sql).await;
    assert_holds(&ground.pool, &Scope::default()).await;

    corrupt(&ground, "update runlog.runs set owner = null where key = 'waiting'").await;
    let report = verify(&ground.pool, &Scope::default()).await.unwrap();
    assert_eq!(report.count(), 1, "{}", told(&report).join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_late_by_less_than_the_grace_is_no_violation() {
    let ground = sound().await;
    let late = "update runlog.runs set wake_at = now() - interval '1 min' where key = 'queued'";
    corrupt(&ground, late).await;
    let patient = Scope { grace: Duration::from_secs(600), ..Scope::default() };
    assert_holds(&ground.pool, &patient).await;
    assert_eq!(verify(&ground.pool, &at_once()).await.unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_runs_in_scope_are_looked_at() {
    let ground = sound().await;
    let old = "update runlog.runs set finished_at = now() + interval '1 s' where key in ('echo', 'shaky')";
    corrupt(&ground, old).await;
    let found = async |scope: Scope| {
        let report = verify(&ground.pool, &scope).await.unwrap();
        (report.runs, report.count(), report.violations().count())
    };
    let (runs, ..) = found(Scope::default()).await;
    assert!(runs > 50, "{runs}");
    assert_eq!(found(Scope { violations_max: 1, ..Scope::default() }).await, (runs, 2, 1));
    let id = "select id from runlog.runs where key = 'echo'";
    let id: uuid::Uuid = sqlx::query_scalar(id).fetch_one(&ground.pool).await.unwrap();
    assert_eq!(found(Scope { run: RunId::from_uuid(id), ..Scope::default() }).await, (1, 1, 1));
    assert_eq!(found(Scope { since: Some(Duration::ZERO), ..Scope::default() }).await, (0, 0, 0));
    let recent = Scope { since: Some(Duration::from_secs(3_600)), ..Scope::default() };
    assert_eq!(found(recent).await, (runs, 2, 2));
    let ages = Scope { since: Some(Duration::MAX), ..Scope::default() };
    assert_eq!(found(ages).await, (runs, 2, 2));
}
