-- The inbox of a run that has ended is empty, within the grace.
-- binds: first run, last run, now, grace
-- index: inbox_run, runs_pkey
select i.run_id as run,
       array[]::int[] as seqs,
       format('message %s of %s is left, the run %s', i.id, i.sent_at,
              coalesce('is ' || r.status, 'does not exist')) as detail
from runlog.inbox i
left join runlog.runs r on r.id = i.run_id
where i.run_id between $1 and $2
  and i.sent_at < $3::timestamptz - $4::interval
  and coalesce(r.status not in ('QUEUED', 'RUNNING'), true)
order by i.run_id, i.id
