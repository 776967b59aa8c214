//! A database that looks like a busy month's.

use sqlx::{AssertSqlSafe, PgPool};

/// What a database is filled with.
pub struct Population {
    /// How many runs.
    pub runs: u32,
    /// Events of each.
    pub events: u32,
    /// Days over which they are spread.
    pub days: u32,
    /// How many days ago the newest is from.
    pub ago_days: u32,
    /// Whether one of 200 is still live.
    pub live: bool,
}

/// Runs of one insert.
const CHUNK: u32 = 50_000;

/// The runs from $from to $to of $all. Of 100 some 94 succeed, 4 fail, 1 is cancelled, 1 waits or timed out; 20 workflows, the first one
/// with a fifth of the runs; 6 of 10 have metadata, 3 a key; 1 of 10 has a trigger event, 1 a parent.
const RUNS: &str = "
    insert into runlog.runs (id, namespace, workflow, version, key, status, priority, created_at, started_at, finished_at,
                             parent, metadata, trigger, trigger_id, trigger_key, node, failed_task, error_kind,
                             error_message, error_location, fingerprint)
    select run, 'default', workflow, 'v' || n * 12 / $all, case when n % 10 < 3 then 'order-' || n end,
           status::runlog.run_status, 0, at, case when status <> 'QUEUED' then at + interval '5 ms' end,
           case when ended then at + interval '5 ms' + took * interval '1 ms' end,
           case when n % 10 = 9 then lag(run) over (order by n) end,
           case when n % 5 < 3 then jsonb_build_object('team', 'team-' || n % 8, 'order', n::text) end,
           case n % 10 when 8 then 'event' when 9 then 'parent' when 7 then 'cron' else 'manual' end,
           case when n % 10 = 8 then 'evt-' || n end, case when n % 10 = 8 then 'user-' || n % 1000 end,
           case when ended then 1 + n % 8 end,
           case when failed then 'task-' || cause % 3 end, case when failed then 'Error' || cause % 7 end,
           case when failed then 'order ' || n || ' failed: cause number ' || cause || ' of the payment service' end,
           case when failed then 'src/pay.rs:' || cause end,
           case when failed then left(md5(workflow || cause), 12) end
    from (
        select *, status in ('FAILED', 'TIMED_OUT') as failed, status not in ('QUEUED', 'RUNNING') as ended,
               'workflow-' || (20 * dice * dice)::int as workflow, (40 * dice)::int as cause,
               (20 / (1.0003 - roll))::int as took
        from (
            select n, at, random() as dice, random() as roll,
                   case when n % 100 < 94 then 'SUCCEEDED' when n % 100 < 98 then 'FAILED' when n % 100 = 98 then 'CANCELLED'
                        when n % 200 = 99 then 'TIMED_OUT' else $rest end as status,
                   (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0')
                    || '8' || lpad(to_hex(n), 15, '0'))::uuid as run
            from (
                select n, clock_timestamp() - $ago * interval '1 day' - ($all - n) * ($days * interval '1 day') / $all as at
                from generate_series($from, $to) n
            ) s
        ) s
    ) s";

/// Events for each of those runs.
const EVENTS: &str = "
    insert into runlog.events (run_id, seq, kind, schema_version, time, node, payload)
    select r.id, seq, 'run_claimed', 1, r.created_at, r.node, '{\"filler\":\"a payload as long as that of a common step\"}'
    from runlog.runs r cross join generate_series(1, $2) seq
    where r.id > $1 and r.workflow like 'workflow-%'
    order by r.id, seq";

/// Makes the months of the log in which the runs lie.
const MONTHS: &str = "
    do $$
    declare
        month timestamp;
        partition text;
    begin
        for month in select generate_series(
            date_trunc('month', (now() - interval '$back days') at time zone 'utc'), now() at time zone 'utc', '1 month')
        loop
            partition := 'events_y' || to_char(month, 'YYYY\"m\"MM');
            if to_regclass('runlog.' || partition) is null then
                execute format('create table runlog.%I partition of runlog.events for values from (%L) to (%L)', partition,
                    runlog.first_id(month at time zone 'utc'),
                    runlog.first_id((month + interval '1 month') at time zone 'utc'));
                perform runlog.protect_log(('runlog.' || partition)::regclass);
            end if;
        end loop;
    end $$";

pub async fn fill(pool: &PgPool, population: &Population) -> anyhow::Result<()> {
    let Population { runs, events, days, ago_days, live } = *population;
    let mut connection = pool.acquire().await?.detach();
    // The birth of an ended run is refused to the engine, not to a bench.
    let settings = "set session_replication_role = replica; set synchronous_commit = off; set jit = off";
    sqlx::raw_sql(settings).execute(&mut connection).await?;
    // A day more: the first run is made a moment after this.
    let months = MONTHS.replace("$back", &(ago_days + days + 1).to_string());
    sqlx::raw_sql(AssertSqlSafe(months)).execute(&mut connection).await?;
    let mut last = sqlx::types::Uuid::nil();
    for from in (1..=runs).step_by(CHUNK as usize) {
        let to = runs.min(from + CHUNK - 1);
        let insert = RUNS
            .replace("$from", &from.to_string())
            .replace("$to", &to.to_string())
            .replace("$all", &runs.to_string())
            .replace("$days", &days.to_string())
            .replace("$ago", &ago_days.to_string())
            .replace("$rest", if live { "'RUNNING'" } else { "'TIMED_OUT'" });
        sqlx::raw_sql(AssertSqlSafe(insert)).execute(&mut connection).await?;
        sqlx::query(EVENTS).bind(last).bind(events as i32).execute(&mut connection).await?;
        let newest = "select id from runlog.runs where workflow like 'workflow-%' order by id desc limit 1";
        last = sqlx::query_scalar(newest).fetch_one(&mut connection).await?;
    }
    sqlx::raw_sql("vacuum analyze runlog.runs, runlog.events").execute(&mut connection).await?;
    Ok(())
}
