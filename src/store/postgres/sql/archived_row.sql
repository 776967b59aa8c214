-- Reads the row of an archived run.
-- binds: run
-- index: archived_runs_pkey
select id, namespace, workflow, version, key, status::text as "status!", priority, null::int as owner,
       null::timestamptz as wake_at, null::timestamptz as deadline_at, started_at, finished_at as "finished_at?", parent, mail,
       null::timestamptz as claimed_at, claims, 0::smallint as "deaths!", archived_at as "archived_at?", imported
from runlog.archived_runs
where id = $1
