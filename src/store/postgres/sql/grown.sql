-- Reads the logs of runs, each after a seq, until there are enough events or bytes. In the order of the runs as long as the
-- plan is a loop over them, which the inner order and limit make it; the reader checks.
-- binds: runs, seqs, events at most, bytes of payloads at most but for one event
-- index: events_pkey
select run_id as "run_id!", seq as "seq!", kind as "kind!", schema_version as "schema_version!", time as "time!", node, task,
       attempt, payload as "payload!"
from (
    select e.*, sum(octet_length(e.payload)) over (rows unbounded preceding) - octet_length(e.payload) as bytes_before
    from (
        select e.*
        from unnest($1::uuid[], $2::int[]) as x (run_id, seq)
        cross join lateral (
            select * from runlog.events l where l.run_id = x.run_id and l.seq > x.seq order by l.seq limit $3
        ) e
        limit $3
    ) e
) e
where bytes_before < $4
