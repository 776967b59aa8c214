-- Records the shapes of workflows, except where a live run started with another one.
-- The three conditions on runs are the three partial indexes that together hold every live run.
-- binds: names, versions, shapes
-- index: workflows_pkey, runs_dispatch, runs_owner, runs_parked
insert into runlog.workflows as w (name, version, shape, registered_at)
select name, version, shape, clock_timestamp()
from unnest($1::text[], $2::text[], $3::text[]) as s (name, version, shape)
order by name, version
on conflict (name, version) do update
set shape = excluded.shape, registered_at = excluded.registered_at
where w.shape <> excluded.shape
  and not exists (
      select from runlog.runs r
      where r.workflow = w.name and r.version = w.version and r.wake_at is not null and r.status = 'RUNNING'
  )
  and not exists (
      select from runlog.runs r
      where r.owner is not null and r.workflow = w.name and r.version = w.version and r.status = 'RUNNING'
  )
  and not exists (
      select from runlog.runs r
      where r.workflow = w.name and r.version = w.version and r.status = 'RUNNING' and r.owner is null
        and r.wake_at is null
  )
