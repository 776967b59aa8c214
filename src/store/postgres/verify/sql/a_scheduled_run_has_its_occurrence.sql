-- A run that a schedule started is that of an occurrence, which stands for one run: two runs of one occurrence would be one
-- too many. Occurrences are known for a day, and as long as their schedule.
-- binds: first run, last run, now
-- index: runs_pkey, runs_trigger_key
select r.id as run,
       array[1] as seqs,
       format('schedule %s of %s started it for an occurrence that is not its own', s.name, s.namespace) as detail
from runlog.runs r
join runlog.schedules s on s.namespace = r.namespace and s.name = r.trigger_key and s.created_at < r.created_at
where r.id between $1 and $2
  and r.trigger in ('cron', 'schedule')
  and r.created_at > $3::timestamptz - interval '23 hours'
  and not exists (select from runlog.occurrences o where o.schedule = s.id and o.run_id = r.id)
order by r.id
