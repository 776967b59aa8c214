-- Group commit of nothing but events, which most are while runs are under way: append.sql without what is idle then,
-- which costs a small batch more than the events do. No row in `me`: the node is dead, nothing is written.
-- binds: node, lane; events: run, seq, kind, schema_version, task, attempt, payload; the fence's token
-- index: leases_pkey, events_pkey, outbox_pkey
with me as materialized (
    select node, now
    from (
        select l.node, l.lease_until, clock_timestamp() as now
        from runlog.leases l
        where l.node = $1 and l.lane = $2 and not l.dead and l.lease_until > clock_timestamp()
          and l.token = $10 and l.timeline = runlog.timeline()
        for share
    ) fence
    -- Once more, for the very instant that is recorded.
    where now < lease_until
),
ev as (
    insert into runlog.events (run_id, seq, kind, schema_version, time, node, task, attempt, payload)
    select e.run_id, e.seq, e.kind, e.schema_version, me.now, me.node, e.task, e.attempt, e.payload
    from unnest($3::uuid[], $4::int[], $5::text[], $6::smallint[], $7::text[], $8::int[], $9::text[])
        as e (run_id, seq, kind, schema_version, task, attempt, payload)
    cross join me
    returning 1
),
-- For the exporter, while there is one.
told as (
    insert into runlog.outbox (at, runs, seqs)
    select me.now, $3::uuid[], $4::int[]
    from me cross join runlog.outbox_open o
    where o.until > me.now
)
select (select now from me) as now, (select count(*) from ev) as "events!"
