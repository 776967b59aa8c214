-- Reads chunks of a stream after a place, in order.
-- binds: run, stream, place, limit
-- index: chunks_pkey (run_id, stream, n)
select n, at, task, attempt, step, source, k, data
from runlog.chunks
where run_id = $1 and stream = $2 and n > $3
order by n
limit $4
