-- Reads the first event of each append of a batch: whether an earlier, unanswered commit of it went through.
-- binds: runs, seqs
-- index: events_pkey
select e.run_id, e.seq, e.node, e.time, e.kind, e.payload
from unnest($1::uuid[], $2::int[]) as x (run_id, seq)
join runlog.events e on e.run_id = x.run_id and e.seq = x.seq
