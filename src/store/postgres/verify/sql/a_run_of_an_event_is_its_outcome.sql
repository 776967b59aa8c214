-- A run that a trigger event started is one of those that the event is recorded to have started: any other would be one too
-- many. Events are known for 30 days.
-- binds: first run, last run, now
-- index: runs_pkey, trigger_events_pkey
select r.id as run,
       array[1] as seqs,
       format('event %s of %s is recorded to have started other runs, if any', r.trigger_id, r.namespace) as detail
from runlog.runs r
where r.id between $1 and $2
  and r.trigger = 'event'
  and r.created_at > $3::timestamptz - interval '29 days'
  and not exists (
      select from runlog.trigger_events t
      where t.namespace = r.namespace
        and t.id = r.trigger_id
        and t.outcomes::jsonb @> jsonb_build_array(jsonb_build_object('run', r.id))
  )
order by r.id
