-- Reads the logs of runs, each after a seq, in order.
-- binds: runs, seqs
-- index: events_pkey
select e.run_id, e.seq, e.kind, e.schema_version, e.time, e.node, e.task, e.attempt, e.payload
from unnest($1::uuid[], $2::int[]) as x (run_id, seq)
-- The inner order keeps the planner from joining: each log is one stretch of one partition's index.
cross join lateral (
    select * from runlog.events l where l.run_id = x.run_id and l.seq > x.seq order by l.seq
) e
order by e.run_id, e.seq
