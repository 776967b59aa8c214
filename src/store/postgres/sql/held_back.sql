-- Finds those of some runs that may not start: their workflow is paused, or they were not let in under its limit.
-- binds: runs
-- index: runs_pkey, pauses_pkey
select r.id
from runlog.runs r
where r.id = any($1::uuid[]) and r.status = 'QUEUED'
  and (
      r.gate_at is not null
      or exists (select from runlog.pauses p where p.workflow = r.workflow and p.namespace = r.namespace)
  )
