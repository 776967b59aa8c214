//! The outbox where transactions overlap, nodes of the former release write, and processes compete.

use runlog::store::outbox::{ExportBegun, Outbox, OutboxRow, Place, Sweep, Tended};
use runlog::store::postgres::create_in;

use super::*;

/// A store that exports, beside the stage's.
async fn exporter(stage: &Stage) -> PostgresStore {
    let store = PostgresStore::open(stage.pool.clone(), 1, false).await.unwrap();
    assert_eq!(store.begin_export("exporter", LEASE).await.unwrap(), ExportBegun::Yours);
    tend(&store).await;
    store
}

async fn tend(store: &PostgresStore) {
    assert_ne!(store.tend_export().await.unwrap(), Tended::Lost);
}

/// Reads what there is after a place, and removes it.
async fn take(store: &PostgresStore, place: &mut Place) -> Vec<RunId> {
    let found = store.outbox(place, 2).await.unwrap();
    let rows: Vec<OutboxRow> = found.commits.iter().map(|commit| commit.row).collect();
    assert!(store.pass_outbox(&rows, &[], LEASE).await.unwrap());
    *place = found.next;
    found.commits.iter().flat_map(|commit| commit.stretches.iter().map(|stretch| stretch.run)).collect()
}

/// Looks through the runs, once nothing has to be waited for.
async fn sweep(store: &PostgresStore) -> Vec<RunId> {
    loop {
        match store.sweep().await.unwrap() {
            Sweep::Nothing => return Vec::new(),
            Sweep::Waits => tokio::task::yield_now().await,
            Sweep::Runs { runs, next } => {
                store.swept(next).await.unwrap();
                return runs;
            }
        }
    }
}

#[tokio::test]
async fn a_transaction_that_commits_late_is_not_skipped_and_holds_nobody_up() {
    let stage = Stage::new().await;
    let store = exporter(&stage).await;
    let (mut place, late, later) = (Place::default(), stage.clock.new_run_id(), stage.clock.new_run_id());
    let mut early = stage.pool.begin().await.unwrap();
    create_in(&mut early, &[born(late, None, Status::Queued)]).await.unwrap();
    create_in(&mut early, &[born(later, None, Status::Queued)]).await.unwrap();

    // Many looks go by, of several pages each, while it is open.
    for _ in 0..3 {
        let mut quick = Vec::new();
        for _ in 0..5 {
            quick.push(stage.running().await);
        }
        let mut found = Vec::new();
        for _ in 0..4 {
            found.extend(take(&store, &mut place).await);
        }
        assert_eq!(found, quick, "nothing waits for the open transaction");
    }
    assert_eq!(stage.count("select count(*) from runlog.outbox").await, 0);

    early.commit().await.unwrap();
    let next = stage.running().await;
    let mut found = Vec::new();
    for _ in 0..3 {
        found.extend(take(&store, &mut place).await);
    }
    assert_eq!(found, [late, later, next]);
}

#[tokio::test]
async fn a_commit_between_two_pages_of_a_look_is_not_skipped() {
    let stage = Stage::new().await;
    let store = exporter(&stage).await;
    let (mut place, late) = (Place::default(), stage.clock.new_run_id());
    let mut early = stage.pool.begin().await.unwrap();
    create_in(&mut early, &[born(late, None, Status::Queued)]).await.unwrap();
    let mut expected = Vec::new();
    for _ in 0..6 {
        expected.push(stage.running().await);
    }

    let mut found = take(&store, &mut place).await;
    early.commit().await.unwrap();
    for _ in 0..8 {
        found.extend(take(&store, &mut place).await);
        // The outbox never runs dry.
        expected.push(stage.running().await);
    }

    expected.push(late);
    expected.sort();
    found.extend(take(&store, &mut place).await);
    found.extend(take(&store, &mut place).await);
    found.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_transaction_that_is_rolled_back_leaves_nothing() {
    let stage = Stage::new().await;
    let store = exporter(&stage).await;
    let mut transaction = stage.pool.begin().await.unwrap();
    create_in(&mut transaction, &[born(stage.clock.new_run_id(), None, Status::Queued)]).await.unwrap();
    transaction.rollback().await.unwrap();

    assert_eq!(take(&store, &mut Place::default()).await, []);
}

#[tokio::test]
async fn a_checkpoint_in_the_codes_transaction_leaves_a_row() {
    let stage = Stage::new().await;
    let store = exporter(&stage).await;
    let run = stage.running().await;
    let mut transaction = stage.store.begin().await.unwrap();
    let two = Append { events: vec![event(), event()], ..next(run, 1) };
    stage.store.checkpoint(&mut transaction, stage.node, 0, &two).await.unwrap();
    transaction.commit().await.unwrap();

    let found = store.outbox(&Place::default(), 9).await.unwrap();
    let stretches = found.commits.iter().flat_map(|commit| &commit.stretches);
    let stretches: Vec<_> = stretches.map(|stretch| (stretch.run, stretch.first, stretch.last)).collect();
    assert_eq!(stretches, [(run, 1, 1), (run, 2, 3)]);
}

#[tokio::test]
async fn a_fenced_append_leaves_nothing() {
    let stage = Stage::new().await;
    let store = exporter(&stage).await;
    stage.store.leave(stage.node).await.unwrap();
    let run = stage.clock.new_run_id();
    assert!(stage.append(&[commit(born(run, None, Status::Running))]).await.is_err());

    assert_eq!(take(&store, &mut Place::default()).await, []);
}

#[tokio::test]
async fn runs_are_looked_through_once_older_transactions_have_ended() {
    let stage = Stage::new().await;
    let (plain, old) = (stage.clock.new_run_id(), stage.clock.new_run_id());
    // One has written before the outbox opens; the snapshot of the other, which has no id yet, was taken before.
    let mut writer = stage.pool.begin().await.unwrap();
    create_in(&mut writer, &[born(plain, None, Status::Queued)]).await.unwrap();
    let mut reader = stage.pool.begin_with("begin isolation level repeatable read").await.unwrap();
    sqlx::query("select 1 from runlog.runs limit 1").fetch_optional(&mut *reader).await.unwrap();

    let store = exporter(&stage).await;
    assert_eq!(store.sweep().await.unwrap(), Sweep::Waits);
    create_in(&mut reader, &[born(old, None, Status::Queued)]).await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(store.sweep().await.unwrap(), Sweep::Waits);
    // What is committed meanwhile is exported meanwhile.
    let quick = stage.running().await;
    let mut place = Place::default();
    assert_eq!(take(&store, &mut place).await, [quick]);
    reader.commit().await.unwrap();

    assert_eq!(sweep(&store).await, [plain, old, quick]);
    assert_eq!(take(&store, &mut place).await, [], "neither knew that the outbox was open");
}

#[tokio::test]
async fn an_outbox_that_closed_is_made_good_by_a_look_through_the_runs() {
    let stage = Stage::new().await;
    let store = exporter(&stage).await;
    assert_eq!(sweep(&store).await, []);
    let before = stage.running().await;
    stage.psql("update runlog.outbox_open set until = clock_timestamp()").await.unwrap();
    let unseen = stage.running().await;

    let mut place = Place::default();
    assert_eq!(take(&store, &mut place).await, [before]);
    let unseen_too = stage.running().await;
    tend(&store).await;
    let seen = stage.running().await;

    assert_eq!(take(&store, &mut place).await, [seen]);
    assert_eq!(sweep(&store).await, [before, unseen, unseen_too, seen]);
}

#[tokio::test]
async fn what_nodes_of_the_former_release_wrote_is_found_when_they_are_gone() {
    let stage = Stage::new().await;
    let store = exporter(&stage).await;
    assert_eq!(sweep(&store).await, []);
    // Such a node says nothing of the outbox, and its statements do not know it.
    let old = stage.store.join(&info(), 2, LEASE).await.unwrap().node;
    stage.psql(&format!("update runlog.nodes set fills_outbox = false where id = {old}")).await.unwrap();
    tend(&store).await;
    let run = stage.running().await;
    stage.psql("delete from runlog.outbox").await.unwrap();

    tend(&store).await;
    assert_eq!(sweep(&store).await, [], "it lives");
    stage.store.leave(old).await.unwrap();
    tend(&store).await;
    assert_eq!(sweep(&store).await, [run]);

    // One that came and went between two looks.
    let old = stage.store.join(&info(), 2, LEASE).await.unwrap().node;
    stage.psql(&format!("update runlog.nodes set fills_outbox = false where id = {old}")).await.unwrap();
    stage.store.leave(old).await.unwrap();
    tend(&store).await;
    assert_eq!(sweep(&store).await, [run]);
    tend(&store).await;
    assert_eq!(sweep(&store).await, [], "once");
}

#[tokio::test]
async fn one_process_at_a_time_exports() {
    let stage = Stage::new().await;
    let store = exporter(&stage).await;
    let run = stage.running().await;
    let rows = [store.outbox(&Place::default(), 9).await.unwrap().commits[0].row];

    match stage.store.begin_export("other", LEASE).await.unwrap() {
        ExportBegun::Held(holder) => assert_eq!(holder.by, "exporter"),
        other => panic!("{other:?}"),
    }
    assert!(!stage.store.pass_outbox(&rows, &[], LEASE).await.unwrap());
    stage.psql("update runlog.exporter set held_until = clock_timestamp()").await.unwrap();
    assert_eq!(stage.store.begin_export("other", LEASE).await.unwrap(), ExportBegun::Yours);

    assert!(!store.pass_outbox(&rows, &[], LEASE).await.unwrap(), "it was taken over");
    assert_eq!(take(&stage.store, &mut Place::default()).await, [run]);
}

#[tokio::test]
async fn an_export_reads_on_whatever_the_transaction_ids_were_before() {
    let stage = Stage::new().await;
    let store = exporter(&stage).await;
    stage.running().await;
    // As in a database that was restored from a dump of a server with more transactions behind it.
    let dumped =
        "update runlog.outbox set xid = (pg_current_xact_id()::text::bigint + 1000000000)::text::xid8";
    stage.psql(dumped).await.unwrap();
    let mut place = Place::default();

    assert_eq!(take(&store, &mut place).await.len(), 1);
    let next = stage.running().await;
    assert_eq!(take(&store, &mut place).await, [next]);
}

#[tokio::test]
async fn a_look_at_the_outbox_does_not_step_over_what_was_removed() {
    let stage = Stage::new().await;
    let store = exporter(&stage).await;
    // Its snapshot keeps every removed row from being cleaned up.
    let mut old = stage.pool.begin_with("begin isolation level repeatable read").await.unwrap();
    sqlx::query("select 1 from runlog.runs limit 1").fetch_optional(&mut *old).await.unwrap();
    let many = "insert into runlog.outbox (at, runs, seqs)
                select clock_timestamp(), array[gen_random_uuid()], array[1] from generate_series(1, 20000)";
    stage.psql(many).await.unwrap();
    stage.psql("delete from runlog.outbox").await.unwrap();

    let mut place = Place::default();
    while !take(&store, &mut place).await.is_empty() {}

    let place = format!("{place:?}");
    let seen =
        place.split("seen: Some(\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a snapshot");
    assert!(pages_read(&stage, "3:3:").await > 100, "a reader without a place");
    assert!(pages_read(&stage, seen).await <= 10);
}

/// Counts the pages that a look into the outbox touches after a snapshot.
async fn pages_read(stage: &Stage, seen: &str) -> i64 {
    let look = include_str!("../../../../src/store/postgres/sql/outbox.sql");
    let look = [
        ("$1", format!("'{seen}'")),
        ("$2", "'0'".to_owned()),
        ("$3", "0".to_owned()),
        ("$4", "100".to_owned()),
    ]
    .iter()
    .fold(look.to_owned(), |look, (bind, value)| look.replace(bind, value));
    let explain = format!("explain (analyze, buffers, format json) {look}");
    let plan: serde_json::Value =
        sqlx::query_scalar(AssertSqlSafe(explain)).fetch_one(&stage.pool).await.unwrap();
    let touched = |what: &str| plan[0]["Plan"][what].as_i64().expect("a number");
    touched("Shared Hit Blocks") + touched("Shared Read Blocks")
}
