-- An accepted start is in the log: every run has its events, every log its run. The log of an archived run may wait for the
-- end of its month.
-- What SQL cannot know: a start that was acknowledged and left no trace at all.
-- binds: first run, last run, now, grace
-- index: runs_pkey, events_pkey, archived_runs_pkey
select r.id as run, array[]::int[] as seqs, format('the run is %s and has no log', r.status) as detail
from runlog.runs r
where r.id between $1 and $2
  and not exists (select from runlog.events e where e.run_id = r.id and e.run_id between $1 and $2)
union all
select e.run_id, array[min(e.seq), max(e.seq)], format('a log of %s events belongs to no run', count(*))
from runlog.events e
where e.run_id between $1 and $2
  and not exists (select from runlog.runs r where r.id = e.run_id and r.id between $1 and $2)
  and not exists (select from runlog.archived_runs a where a.id = e.run_id and a.id between $1 and $2)
group by e.run_id
order by run
