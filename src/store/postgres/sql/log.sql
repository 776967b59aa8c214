-- Reads a stretch of one run's log.
-- binds: run, after which seq, rows at most
-- index: events_pkey
select run_id, seq, kind, schema_version, time, node, task, attempt, payload
from runlog.events
where run_id = $1 and seq > $2
order by seq
limit $3
