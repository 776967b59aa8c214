-- Names the workflows of which a version has one of some tasks.
-- binds: tasks, names at most
-- index: workflow_tasks_pkey
select distinct workflow
from runlog.workflow_tasks
where task = any($1::text[])
order by workflow
limit $2
