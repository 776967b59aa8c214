-- Lists the newest runs before a run, of the same workflow and namespace, that succeeded, newest first.
-- binds: run, rows at most
-- index: runs_pkey, then runs_workflow, backwards from the run
select good.id
from runlog.runs asked
cross join lateral (
    select id
    from runlog.runs
    where namespace = asked.namespace and workflow = asked.workflow and id < asked.id and status = 'SUCCEEDED'
    order by id desc
    limit $2
) good
where asked.id = $1
order by good.id desc
