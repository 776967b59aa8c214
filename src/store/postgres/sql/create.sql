-- Creates runs that nobody owns, with their first events; those whose key, even in the archive, or id exists are left out.
-- binds: births: id, namespace, workflow, version, key, priority, wake_at, deadline_at, created_at, parent, metadata;
-- events: run, seq, kind, schema_version, task, attempt, payload; births again: trigger, trigger_id, trigger_key,
-- replay_of, limit_key
-- index: runs_pkey, runs_keyed, archived_runs_key, events_pkey, outbox_pkey
with born as (
    insert into runlog.runs (id, namespace, workflow, version, key, status, priority, wake_at, deadline_at, created_at,
                             parent, metadata, trigger, trigger_id, trigger_key, replay_of,
                             limit_key)
    select b.id, b.namespace, b.workflow, b.version, b.key, 'QUEUED', b.priority, b.wake_at, b.deadline_at,
           b.created_at, b.parent, b.metadata::jsonb, b.trigger, b.trigger_id, b.trigger_key, b.replay_of,
           b.limit_key
    from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::smallint[], $7::timestamptz[],
                $8::timestamptz[], $9::timestamptz[], $10::uuid[], $11::text[], $19::text[], $20::text[], $21::text[], $22::uuid[],
                $23::text[])
        as b (id, namespace, workflow, version, key, priority, wake_at, deadline_at, created_at, parent, metadata,
              trigger, trigger_id, trigger_key, replay_of, limit_key)
    where b.key is null or (
        select a.id
        from runlog.archived_runs a
        where a.namespace = b.namespace and a.workflow = b.workflow and a.key = b.key and not a.imported
        limit 1
    ) is null
    on conflict do nothing
    returning id
),
ev as (
    insert into runlog.events (run_id, seq, kind, schema_version, time, task, attempt, payload)
    select e.run_id, e.seq, e.kind, e.schema_version, clock.now, e.task, e.attempt, e.payload
    from unnest($12::uuid[], $13::int[], $14::text[], $15::smallint[], $16::text[], $17::int[], $18::text[])
        as e (run_id, seq, kind, schema_version, task, attempt, payload)
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
select id from born
