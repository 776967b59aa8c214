-- A log begins with run_created, and holds no second one.
-- binds: first run, last run, now, grace
-- index: events_pkey
select run_id as run, array[seq] as seqs, format('seq %s is %s', seq, kind) as detail
from runlog.events
where run_id between $1 and $2 and (seq = 1) <> (kind = 'run_created')
order by run_id, seq
