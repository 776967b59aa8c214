//! Passes: on schedule, by one process at a time, and visible.

use runlog::runtime::Error;
use runlog::store::{StoreError, Tally};

use super::*;
use crate::support::{Ground, Memory, until};

/// Lets the next pass be due now.
async fn due(ground: &Postgres) {
    ground.psql("update runlog.retention_pass set next_at = clock_timestamp()").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_are_made_on_schedule_by_whichever_node_is_there() {
    let ground = Postgres::new().await;
    // The database is a copy of one that was made some minutes ago.
    let later = "update runlog.retention_pass set next_at = clock_timestamp() + interval '1 hour'";
    ground.psql(later).await.unwrap();
    let node = async |name: &str| {
        let builder = ground.builder().workflow(echo()).node_name(name);
        builder.retention_interval(Duration::from_millis(100)).start().await.unwrap()
    };
    let (one, two) = (node("one").await, node("two").await);
    let never = one.retention().await.unwrap();
    assert_eq!((never.begun_at, never.ended_at, never.holder), (None, None, None));
    archive_at_once(&one).await;
    let first = ended(&one, "first", "1").await;
    assert!(!first.get().await.unwrap().archived, "no pass is due");
    due(&ground).await;
    until("it is archived", async || first.get().await.unwrap().archived).await;
    // What a pass archived is counted with its end.
    until("it is counted", async || one.retention().await.unwrap().archived_ever == 1).await;

    one.crash();
    // Should it have been at a pass, its minute is over.
    let over =
        "update runlog.retention_pass set held_until = held_until - interval '1 min' where held_by = 'one'";
    ground.psql(over).await.unwrap();

    let second = ended(&two, "second", "1").await;
    until("the other node makes passes", async || second.get().await.unwrap().archived).await;
    until("the pass has ended", async || two.retention().await.unwrap().holder.is_none()).await;
    let shown = two.retention().await.unwrap();
    assert_eq!((shown.archived_ever, shown.deleted_ever, shown.failure), (2, 0, None));
    assert!(shown.ended_at.unwrap() >= shown.begun_at.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_told_not_to_makes_no_pass() {
    let ground = Postgres::new().await;
    let builder = ground.builder().workflow(echo()).retention_interval(Duration::from_millis(100));
    let runtime = builder.retention(false).start().await.unwrap();
    due(&ground).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(runtime.retention().await.unwrap().begun_at, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_begins_a_pass_while_another_process_is_at_one() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let run = ended(&runtime, "order", "1").await;
    archive_at_once(&runtime).await;
    let held =
        "update runlog.retention_pass set holder = 1, held_by = 'api-7', held_until = clock_timestamp() ";
    ground.psql(&format!("{held} + interval '1 min'")).await.unwrap();

    let refused = runtime.prune_now().await.unwrap_err();

    assert!(matches!(&refused, Error::PassUnderWay { by } if by == "api-7"), "{refused:?}");
    assert_eq!(runtime.retention().await.unwrap().holder.unwrap().by, "api-7");
    assert!(!run.get().await.unwrap().archived);
    ground.psql(&format!("{held} - interval '1 s'")).await.unwrap();
    assert_eq!(
        runtime.prune_now().await.unwrap().archived,
        1,
        "the other one has not been heard of for too long"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_lost_its_pass_does_nothing_more() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let run = ended(&runtime, "order", "1").await;
    archive_at_once(&runtime).await;
    // Whoever holds the pass loses it with its first run.
    let take_over = "create function take_over() returns trigger language plpgsql as $$ begin
                         update runlog.retention_pass set holder = 1; return null;
                     end $$;
                     create trigger take_over after insert on runlog.archived_runs for each row execute function take_over()";
    ground.psql(take_over).await.unwrap();

    let refused = runtime.prune_now().await.unwrap_err();

    assert!(
        matches!(&refused, Error::Store(StoreError::Refused { message }) if message.contains("took")),
        "{refused:?}"
    );
    assert!(!run.get().await.unwrap().archived, "its step was rolled back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_that_fails_is_shown_and_repeated() {
    let ground = Postgres::new().await;
    let builder = ground.builder().workflow(echo()).node_name("api-1");
    let runtime = builder.retention_interval(Duration::from_millis(200)).start().await.unwrap();
    let run = ended(&runtime, "order", "1").await;
    archive_at_once(&runtime).await;
    let break_it = "create function no_room() returns trigger language plpgsql as $$ begin
                        raise exception 'the disk is full'; end $$;
                    create trigger no_room before insert on runlog.archived_runs for each row execute function no_room()";
    ground.psql(break_it).await.unwrap();

    due(&ground).await;

    let failed = async || runtime.retention().await.unwrap().failure;
    until("it failed twice", async || failed().await.is_some_and(|failure| failure.failures >= 2)).await;
    let failure = failed().await.unwrap();
    assert!(failure.error.contains("the disk is full"), "{failure:?}");
    assert!(runtime.retention().await.unwrap().next_at - failure.at < chrono::TimeDelta::seconds(1));
    assert!(!run.get().await.unwrap().archived);

    ground.psql("drop trigger no_room on runlog.archived_runs").await.unwrap();
    until("it is archived", async || run.get().await.unwrap().archived).await;
    until("all is well", async || failed().await.is_none()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_world_in_memory_keeps_everything() {
    let ground = Memory::new().await;
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let run = ended(&runtime, "order", "1").await;
    assert_eq!(runtime.prune_now().await.unwrap(), Tally::default());
    assert_eq!(runtime.retention().await.unwrap().policies[0].archive_after, None);
    let refused = runtime.set_retention(RetentionPolicy::default()).await.unwrap_err();
    assert!(matches!(refused, Error::Store(StoreError::NeedsPostgres { .. })), "{refused:?}");
    assert!(!run.get().await.unwrap().archived);
}
