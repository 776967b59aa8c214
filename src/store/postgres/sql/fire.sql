-- Starts occurrences: moves on the schedules that nobody changed since they were read, and creates the runs of their
-- occurrences that were never started. What another node is at is left to it.
-- binds: births: id, namespace, workflow, version, priority, wake_at, deadline_at, created_at, metadata, trigger, trigger_key;
-- events: run, seq, kind, schema_version, payload; occurrences: schedule, due, run; schedules: id, revision, next_at;
-- how long occurrences are kept; births again: limit_key
-- index: schedules_pkey, occurrences_pkey, runs_pkey, events_pkey, outbox_pkey
with mine as materialized (
    select s.id, x.next_at
    from unnest($20::bigint[], $21::int[], $22::timestamptz[]) as x (id, revision, next_at)
    join runlog.schedules s on s.id = x.id and s.revision = x.revision
    order by s.id
    for update of s skip locked
),
occurrence as materialized (
    select o.schedule, o.due, o.run_id
    from unnest($17::bigint[], $18::timestamptz[], $19::uuid[]) as o (schedule, due, run_id)
    where o.schedule in (select id from mine)
),
old as (
    delete from runlog.occurrences o
    where o.schedule in (select id from mine)
      and o.fired_at < clock_timestamp() - $23::interval
      and not exists (select from occurrence n where n.schedule = o.schedule and n.due = o.due)
),
started as (
    insert into runlog.occurrences (schedule, due, run_id)
    select schedule, due, run_id from occurrence
    on conflict do nothing
    returning schedule, due, run_id
),
moved as (
    update runlog.schedules s
    set next_at = mine.next_at,
        wake_at = case when s.paused_at is null then mine.next_at end,
        revision = s.revision + 1,
        last_due = coalesce(last.due, s.last_due),
        last_run = coalesce(last.run_id, s.last_run),
        fired = s.fired + coalesce(last.n, 0),
        failure = null,
        failures = 0,
        ended_at = case when mine.next_at is null then coalesce(s.ended_at, clock_timestamp()) end
    from mine
    left join (
        select schedule, max(due) as due, (array_agg(run_id order by due desc))[1] as run_id, count(*) as n
        from started
        group by schedule
    ) last on last.schedule = mine.id
    where s.id = mine.id
    returning s.id
),
born as (
    insert into runlog.runs (id, namespace, workflow, version, status, priority, wake_at, deadline_at, created_at,
                             metadata, trigger, trigger_key, limit_key)
    select b.id, b.namespace, b.workflow, b.version, 'QUEUED', b.priority, b.wake_at, b.deadline_at, b.created_at,
           b.metadata::jsonb, b.trigger, b.trigger_key, b.limit_key
    from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::timestamptz[], $7::timestamptz[],
                $8::timestamptz[], $9::text[], $10::text[], $11::text[], $24::text[])
        as b (id, namespace, workflow, version, priority, wake_at, deadline_at, created_at, metadata, trigger,
              trigger_key, limit_key)
    where b.id in (select run_id from started)
    returning id
),
ev as (
    insert into runlog.events (run_id, seq, kind, schema_version, time, payload)
    select e.run_id, e.seq, e.kind, e.schema_version, clock.now, e.payload
    from unnest($12::uuid[], $13::int[], $14::text[], $15::smallint[], $16::text[])
        as e (run_id, seq, kind, schema_version, payload)
    cross join (select clock_timestamp() as now offset 0) clock
    where e.run_id in (select id from born)
),
-- For the exporter, while there is one; what was left out is not in the log, where it looks.
told as (
    insert into runlog.outbox (at, runs, seqs)
    select clock_timestamp(), $12::uuid[], $13::int[]
    from runlog.outbox_open o
    where o.until > clock_timestamp() and exists (select from born)
)
select id as "id!" from moved
