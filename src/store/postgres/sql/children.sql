-- Lists the runs that a run started, archived or not, oldest first.
-- binds: run, rows at most
-- index: runs_parent, archived_runs_parent
select id as "id!", namespace as "namespace!", workflow as "workflow!", version as "version!", key, status as "status!",
       priority as "priority!", owner, wake_at, deadline_at, started_at, finished_at, parent, mail as "mail!", claimed_at,
       claims as "claims!", deaths as "deaths!", archived_at, imported as "imported!"
from (
    (
        select id, namespace, workflow, version, key, status::text, priority, owner, wake_at, deadline_at, started_at,
               finished_at, parent, mail, claimed_at, claims, deaths, null::timestamptz as archived_at, false as imported
        from runlog.runs
        where parent = $1
        order by id
        limit $2
    )
    union all
    (
        select id, namespace, workflow, version, key, status::text, priority, null, null, null, started_at, finished_at,
               parent, mail, null, claims, 0::smallint, archived_at, imported
        from runlog.archived_runs
        where parent = $1
        order by id
        limit $2
    )
) child
order by id
limit $2
