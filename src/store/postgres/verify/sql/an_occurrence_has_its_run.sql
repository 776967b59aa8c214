-- An occurrence that was started is a run of its schedule; only retention may have removed it.
-- binds: first run, last run, now
-- index: occurrences_pkey, runs_pkey
select o.run_id as run,
       array[]::int[] as seqs,
       format('schedule %s of %s: its occurrence of %s was started, and there is no such run of it', s.name, s.namespace,
              o.due) as detail
from runlog.occurrences o
join runlog.schedules s on s.id = o.schedule
where o.run_id between $1 and $2
  and not exists (
      select from runlog.runs r
      where r.id = o.run_id and r.namespace = s.namespace and r.trigger in ('cron', 'schedule') and r.trigger_key = s.name
  )
  and not exists (
      select from runlog.archived_runs r
      where r.id = o.run_id and r.namespace = s.namespace and r.trigger in ('cron', 'schedule') and r.trigger_key = s.name
  )
  and o.fired_at > $3::timestamptz - coalesce((select min(delete_after) from runlog.retention), interval '100 years')
order by o.run_id
