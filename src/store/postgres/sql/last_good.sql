-- Lists the newest runs before a run, of the same workflow and namespace, that succeeded, newest first, archived or not.
-- binds: run, rows at most, runs to look at
-- index: runs_pkey, archived_runs_pkey, then runs_workflow and archived_runs_workflow, backwards from the run
select good.id as "id!"
from (
    select id, namespace, workflow from runlog.runs where id = $1
    union all
    select id, namespace, workflow from runlog.archived_runs where id = $1
) asked
cross join lateral (
    (
        select r.id
        from (
            select id, status
            from runlog.runs
            where namespace = asked.namespace and workflow = asked.workflow and id < asked.id
            order by id desc
            limit $3
        ) r
        where r.status = 'SUCCEEDED'
        order by r.id desc
        limit $2
    )
    union all
    (
        select a.id
        from (
            select id, status
            from runlog.archived_runs
            where namespace = asked.namespace and workflow = asked.workflow and id < asked.id
            order by id desc
            limit $3
        ) a
        where a.status = 'SUCCEEDED'
        order by a.id desc
        limit $2
    )
) good
order by good.id desc
limit $2
