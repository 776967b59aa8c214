-- Finds the run of a key, archived or not. An imported run does not have its key here.
-- binds: namespace, workflow, key
-- index: runs_keyed, archived_runs_key
select id as "id!"
from (
    select id from runlog.runs where namespace = $1 and workflow = $2 and key = $3
    union all
    select id
    from runlog.archived_runs
    where namespace = $1 and workflow = $2 and key = $3 and key is not null and not imported
) found
order by id
limit 1
