-- Records workflows, except where a live run started with another shape.
-- The three conditions on runs are the three partial indexes that together hold every live run.
-- binds: names, versions, shapes, timeouts, start timeouts
-- index: workflows_pkey, runs_due, runs_owner, runs_parked
insert into runlog.workflows as w (name, version, shape, registered_at, timeout_ms, start_timeout_ms)
select name, version, shape, clock_timestamp(), timeout_ms, start_timeout_ms
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
    as s (name, version, shape, timeout_ms, start_timeout_ms)
order by name, version
on conflict (name, version) do update
set shape = excluded.shape, registered_at = excluded.registered_at, timeout_ms = excluded.timeout_ms,
    start_timeout_ms = excluded.start_timeout_ms
where w.shape = excluded.shape
  and (w.timeout_ms, w.start_timeout_ms) is distinct from (excluded.timeout_ms, excluded.start_timeout_ms)
  or w.shape <> excluded.shape
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
