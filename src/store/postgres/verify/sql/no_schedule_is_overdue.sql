-- A schedule that is due is taken up: by any living node, whatever it serves. With no living node it is reported: nobody will.
-- The run is that of the occurrence before.
-- binds: first run, last run, now, grace
-- index: schedules_wake
select coalesce(s.last_run, '00000000-0000-0000-0000-000000000000') as run,
       array[]::int[] as seqs,
       format('schedule %s of %s is due for %s, its next occurrence is that of %s', s.name, s.namespace,
              $3::timestamptz - s.wake_at, s.next_at) as detail
from runlog.schedules s
where s.wake_at < $3::timestamptz - $4::interval
  and coalesce(s.last_run, $2) between $1 and $2
order by s.id
