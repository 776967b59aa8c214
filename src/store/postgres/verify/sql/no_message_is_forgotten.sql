-- A live run takes its messages within the grace. One that nobody owns and that is due is no_wake_up_is_overdue.
-- binds: first run, last run, now, grace
-- index: inbox_run, runs_pkey
select i.run_id as run,
       array[]::int[] as seqs,
       format('message %s of %s waits for %s', i.id, i.sent_at, coalesce('node ' || r.owner, 'any node')) as detail
from runlog.inbox i
join runlog.runs r on r.id = i.run_id
where i.run_id between $1 and $2
  and i.sent_at < $3::timestamptz - $4::interval
  and r.status in ('QUEUED', 'RUNNING')
  and (r.owner is not null or r.wake_at > $3::timestamptz)
order by i.run_id, i.id
