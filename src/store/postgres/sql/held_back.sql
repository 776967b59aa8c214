-- Finds those of some runs that may not start: their workflow is paused.
-- binds: runs
-- index: runs_pkey, pauses_pkey
select r.id
from runlog.runs r
join runlog.pauses p on p.workflow = r.workflow and p.namespace = r.namespace
where r.id = any($1::uuid[]) and r.status = 'QUEUED'
