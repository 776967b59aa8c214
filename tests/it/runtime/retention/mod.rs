//! Runs that ended long ago: archived, found as before, and deleted when somebody says so.

mod archive;
mod lists;
mod keys;
mod log;
mod passes;
mod policies;
mod moving;

use std::time::Duration;

use runlog::{Cx, CxError, RetentionPolicy, RunHandle, RunId, Runtime, Workflow};
use serde_json::value::RawValue;

use crate::support::{Postgres, echo, json, soon};

/// Everything that has ended goes to the archive with the next pass.
async fn archive_at_once(runtime: &Runtime) {
    runtime.set_retention(RetentionPolicy::default().archive_after(Duration::ZERO)).await.unwrap();
}

/// Makes a run that has ended.
async fn ended(runtime: &Runtime, key: &str, input: &str) -> RunHandle<Box<RawValue>> {
    let run = runtime.run(&echo(), json(input)).key(key).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    run
}

/// Sleeps for some seconds.
fn sleeper() -> Workflow<u64, u64> {
    Workflow::function("sleeper", |cx: Cx, seconds: u64| async move {
        cx.sleep(Duration::from_secs(seconds)).await?;
        Ok::<_, CxError>(seconds)
    })
}

/// Makes a run one that was created, and did everything, so many days earlier, past every trigger; returns its new id. Its
/// log's month is made.
async fn age(ground: &Postgres, run: RunId, days: u32) -> RunId {
    let sql = format!(
        "begin;
         set local session_replication_role = replica;
         do $$
         declare
             old uuid := '{run}';
             back interval := interval '{days} days';
             at timestamptz;
             new uuid;
             month timestamp;
             partition text;
         begin
             select created_at - back into strict at from runlog.runs where id = old;
             new := (substr(runlog.first_id(at)::text, 1, 14) || substr(old::text, 15))::uuid;
             month := date_trunc('month', at at time zone 'utc');
             partition := 'events_y' || to_char(month, 'YYYY\"m\"MM');
             if to_regclass('runlog.' || partition) is null then
                 execute format('create table runlog.%I partition of runlog.events for values from (%L) to (%L)',
                     partition, runlog.first_id(month at time zone 'utc'),
                     runlog.first_id((month + interval '1 month') at time zone 'utc'));
                 perform runlog.protect_log(('runlog.' || partition)::regclass);
             end if;
             update runlog.runs set id = new, created_at = at, started_at = started_at - back,
                 finished_at = finished_at - back where id = old;
             update runlog.events set run_id = new, time = time - back where run_id = old;
             update runlog.snapshots set run_id = new where run_id = old;
         end $$;
         commit"
    );
    ground.psql(&sql).await.expect("an old run");
    let id = run.to_string();
    let (_, kept) = id.split_at(14);
    let aged = sqlx::query_scalar("select id from runlog.runs where right(id::text, 22) = $1").bind(kept);
    let aged: uuid::Uuid = aged.fetch_one(&ground.pool).await.expect("an old run");
    RunId::from_uuid(aged).expect("a run's id")
}

/// Counts the months of the log that ended before this one began.
async fn old_months(ground: &Postgres) -> i64 {
    ground
        .count("select count(*) from runlog.months_before(date_trunc('month', now()) - interval '1 month')")
        .await
}
