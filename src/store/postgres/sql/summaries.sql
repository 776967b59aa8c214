-- Reads what lists show of runs.
-- binds: runs
-- index: runs_pkey
select id, namespace, workflow, version, key, status::text as "status!", owner, wake_at, deadline_at, started_at,
       finished_at, parent, metadata::text as metadata, trigger, trigger_id, trigger_key, replay_of, node, failed_task,
       error_kind, error_message, error_location, fingerprint, caused_by
from runlog.runs
where id = any($1::uuid[])
order by id
