-- Lists schedules by namespace and name.
-- binds: namespace or null, workflow or null, the first characters of the name or null, after: namespace and name or null, limit
-- index: schedules_namespace_name_key
select id, namespace, name, workflow, cron, zone, once_at, input, metadata::text as "metadata!", priority, misfire, declared,
       created_at, created_by, revision, paused_at, paused_by, next_at, last_due, last_run, fired, failure, failures, ended_at
from runlog.schedules
where ($1::text is null or namespace = $1)
  and ($2::text is null or workflow = $2)
  and ($3::text is null or starts_with(name, $3))
  and ($4::text is null or (namespace, name) > ($4, $5))
order by namespace, name
limit $6
