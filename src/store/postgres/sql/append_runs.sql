-- Group commit of runs that begin, go on or end well, without a key, a message, a release, a failure or a trigger but
-- code or a parent: append.sql without what is idle then, which costs a small batch more than its rows do. No row in `me`: the node is dead, nothing is written.
-- binds: node, lane; births: id, namespace, workflow, version, status, owned, priority, wake_at, deadline_at, created_at,
-- parent, metadata; events: run, seq, kind, schema_version, task, attempt, payload; changed rows: id, status, ended,
-- deadline_at; the fence's token; births again: trigger
-- index: leases_pkey, runs_pkey, events_pkey, outbox_pkey
with me as materialized (
    select node, now
    from (
        select l.node, l.lease_until, clock_timestamp() as now
        from runlog.leases l
        where l.node = $1 and l.lane = $2 and not l.dead and l.lease_until > clock_timestamp()
          and l.token = $26 and l.timeline = runlog.timeline()
        for share
    ) fence
    -- Once more, for the very instant that is recorded.
    where now < lease_until
),
born as (
    insert into runlog.runs (id, namespace, workflow, version, status, priority, owner, wake_at, deadline_at, created_at,
                             started_at, claimed_at, parent, metadata, trigger)
    select b.id, b.namespace, b.workflow, b.version, b.status::runlog.run_status, b.priority,
           case when b.owned then me.node end, b.wake_at, b.deadline_at, b.created_at,
           case when b.status = 'RUNNING' then me.now end, case when b.owned then me.now end, b.parent,
           b.metadata::jsonb, b.trigger
    from unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[], $9::smallint[],
                $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::uuid[], $14::text[], $27::text[])
        as b (id, namespace, workflow, version, status, owned, priority, wake_at, deadline_at, created_at, parent, metadata,
              trigger)
    cross join me
),
ev as (
    insert into runlog.events (run_id, seq, kind, schema_version, time, node, task, attempt, payload)
    select e.run_id, e.seq, e.kind, e.schema_version, me.now, me.node, e.task, e.attempt, e.payload
    from unnest($15::uuid[], $16::int[], $17::text[], $18::smallint[], $19::text[], $20::int[], $21::text[])
        as e (run_id, seq, kind, schema_version, task, attempt, payload)
    cross join me
    returning 1
),
st as (
    update runlog.runs r
    set status = s.status::runlog.run_status,
        owner = case when not s.ended then r.owner end,
        deadline_at = case when not s.ended then s.deadline_at end,
        claimed_at = case when not s.ended then r.claimed_at end,
        started_at = case when s.status = 'RUNNING' then coalesce(r.started_at, me.now) else r.started_at end,
        finished_at = case when s.ended then me.now end,
        node = case when s.ended then me.node end,
        deaths = 0
    from unnest($22::uuid[], $23::text[], $24::boolean[], $25::timestamptz[]) as s (id, status, ended, deadline_at)
    cross join me
    -- By their ids first: a plan that is used for long must not read the table.
    where r.id = any($22::uuid[]) and r.id = s.id and r.owner = me.node and r.status in ('QUEUED', 'RUNNING')
),
-- For the exporter, while there is one.
told as (
    insert into runlog.outbox (at, runs, seqs)
    select me.now, $15::uuid[], $16::int[]
    from me cross join runlog.outbox_open o
    where o.until > me.now and cardinality($16::int[]) > 0
)
select (select now from me) as now, (select count(*) from ev) as "events!"
