-- A run that a trigger event is recorded to have started is there, and says so; only retention may have removed it.
-- binds: first run, last run, now
-- index: runs_pkey
select o.run,
       array[]::int[] as seqs,
       format('event %s of %s: subscription %s is recorded to have started it, and there is no such run of it', t.id,
              t.namespace, o.subscription) as detail
from runlog.trigger_events t
cross join lateral (
    select (x ->> 'run')::uuid as run, x ->> 'subscription' as subscription
    from jsonb_array_elements(t.outcomes::jsonb) x
    where x ->> 'run' is not null
) o
where o.run between $1 and $2
  and not exists (
      select from runlog.runs r where r.id = o.run and r.namespace = t.namespace and r.trigger_id = t.id
  )
  and not exists (
      select from runlog.archived_runs r where r.id = o.run and r.namespace = t.namespace and r.trigger_id = t.id
  )
  and t.pushed_at > $3::timestamptz - coalesce((select min(delete_after) from runlog.retention), interval '100 years')
order by o.run
