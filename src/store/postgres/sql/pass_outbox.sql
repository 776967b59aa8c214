-- Removes rows of the outbox, and keeps what was refused of them. 0: the process is not the exporter, nothing was done.
-- binds: the process's token, for how long without a word of it, the rows (xids, ids); what was refused: runs, traces, spans,
-- names, reasons
-- index: exporter_pkey, outbox_pkey
with quick as materialized (
    -- A crash of the server that undoes this has spans sent twice, which are the same.
    select set_config('synchronous_commit', 'off', true)
),
held as (
    update runlog.exporter
    set held_until = clock_timestamp() + $2::interval, refused = refused + cardinality($5::uuid[])
    where holder = $1 and held_until >= clock_timestamp()
    returning 1
),
gone as (
    delete from runlog.outbox o
    where (o.xid, o.id) in (select p.xid::xid8, p.id from unnest($3::text[], $4::bigint[]) as p (xid, id))
      and exists (select from held)
),
kept as (
    insert into runlog.refused_spans (run_id, trace_id, span_id, name, reason)
    select r.run_id, r.trace_id, r.span_id, r.name, r.reason
    from unnest($5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[]) as r (run_id, trace_id, span_id, name, reason)
    where exists (select from held)
)
select count(*) as "held!" from held cross join quick
