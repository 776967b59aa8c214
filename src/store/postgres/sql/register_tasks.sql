-- Records the tasks of workflows, by which their runs are found; what is recorded stays.
-- binds: tasks, workflows, versions
-- index: workflow_tasks_pkey
insert into runlog.workflow_tasks (task, workflow, version)
select task, workflow, version
from unnest($1::text[], $2::text[], $3::text[]) as t (task, workflow, version)
order by task, workflow, version
on conflict do nothing
