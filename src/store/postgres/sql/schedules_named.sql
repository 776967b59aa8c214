-- Reads schedules by their names.
-- binds: namespace, names
-- index: schedules_namespace_name_key
select id, namespace, name, workflow, cron, zone, once_at, input, metadata::text as "metadata!", priority, misfire, declared,
       created_at, created_by, revision, paused_at, paused_by, next_at, last_due, last_run, fired, failure, failures, ended_at
from runlog.schedules
where namespace = $1 and name = any($2)
