-- Keeps a trigger event and creates the runs that it starts; nothing of an event whose id is known. Whoever pushes it at the
-- same time waits for the first one's end.
-- binds: event: namespace, id, key, payload, metadata, by, outcomes; births: id, workflow, version, priority, wake_at,
-- deadline_at, created_at, metadata, trigger, trigger_id, trigger_key; events: run, seq, kind, schema_version, payload;
-- births again: limit_key
-- index: trigger_events_pkey, runs_pkey, events_pkey, outbox_pkey
with event as (
    insert into runlog.trigger_events (namespace, id, key, payload, metadata, pushed_by, outcomes)
    values ($1, $2, $3, $4, $5::text::jsonb, $6, $7)
    on conflict do nothing
    returning id
),
born as (
    insert into runlog.runs (id, namespace, workflow, version, status, priority, wake_at, deadline_at, created_at,
                             metadata, trigger, trigger_id, trigger_key, limit_key)
    select b.id, $1, b.workflow, b.version, 'QUEUED', b.priority, b.wake_at, b.deadline_at, b.created_at,
           b.metadata::jsonb, b.trigger, b.trigger_id, b.trigger_key, b.limit_key
    from unnest($8::uuid[], $9::text[], $10::text[], $11::smallint[], $12::timestamptz[], $13::timestamptz[],
                $14::timestamptz[], $15::text[], $16::text[], $17::text[], $18::text[], $24::text[])
        as b (id, workflow, version, priority, wake_at, deadline_at, created_at, metadata, trigger, trigger_id,
              trigger_key, limit_key)
    where exists (select from event)
    returning id
),
ev as (
    insert into runlog.events (run_id, seq, kind, schema_version, time, payload)
    select e.run_id, e.seq, e.kind, e.schema_version, clock.now, e.payload
    from unnest($19::uuid[], $20::int[], $21::text[], $22::smallint[], $23::text[])
        as e (run_id, seq, kind, schema_version, payload)
    cross join (select clock_timestamp() as now offset 0) clock
    where e.run_id in (select id from born)
),
-- For the exporter, while there is one; what was left out is not in the log, where it looks.
told as (
    insert into runlog.outbox (at, runs, seqs)
    select clock_timestamp(), $19::uuid[], $20::int[]
    from runlog.outbox_open o
    where o.until > clock_timestamp() and exists (select from born)
)
select count(*) as "new!" from event
