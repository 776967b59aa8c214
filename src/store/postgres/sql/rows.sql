-- Reads the rows of runs.
-- binds: runs
-- index: runs_pkey
select id, namespace, workflow, version, key, status::text as "status!", priority, owner, wake_at, deadline_at,
       started_at, finished_at, parent, mail, claimed_at, claims, deaths,
       null::timestamptz as archived_at, false as "imported!"
from runlog.runs
where id = any($1::uuid[])
order by id
