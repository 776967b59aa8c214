-- A snapshot holds no more events than its run's log.
-- binds: first run, last run, now, grace
-- index: snapshots_pkey, events_pkey
select s.run_id as run,
       array[s.seq] as seqs,
       format('the snapshot is of seq %s, the log ends at %s', s.seq, coalesce(log.seq, 0)) as detail
from runlog.snapshots s
cross join lateral (select max(e.seq) as seq from runlog.events e where e.run_id = s.run_id) log
where s.run_id between $1 and $2 and s.seq > coalesce(log.seq, 0)
order by s.run_id
