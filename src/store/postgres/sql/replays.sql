-- Lists the runs that replay a run, archived or not, oldest first.
-- binds: run, rows at most
-- index: runs_replay_of, archived_runs_replay_of
select id as "id!", namespace as "namespace!", workflow as "workflow!", version as "version!", key, status as "status!",
       priority as "priority!", owner, wake_at, deadline_at, started_at, finished_at, parent, mail as "mail!", claimed_at,
       claims as "claims!", deaths as "deaths!", archived_at, imported as "imported!"
from (
    (
        select id, namespace, workflow, version, key, status::text, priority, owner, wake_at, deadline_at, started_at,
               finished_at, parent, mail, claimed_at, claims, deaths, null::timestamptz as archived_at, false as imported
        from runlog.runs
        where replay_of = $1
        order by id
        limit $2
    )
    union all
    (
        select id, namespace, workflow, version, key, status::text, priority, null, null, null, started_at, finished_at,
               parent, mail, null, claims, 0::smallint, archived_at, imported
        from runlog.archived_runs
        where replay_of = $1
        order by id
        limit $2
    )
) replay
order by id
limit $2
