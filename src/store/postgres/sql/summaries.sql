-- Reads what lists show of runs, archived or not.
-- binds: runs
-- index: runs_pkey, archived_runs_pkey
select id as "id!", namespace as "namespace!", workflow as "workflow!", version as "version!", key, status as "status!",
       owner, wake_at, deadline_at, started_at, finished_at, parent, metadata, trigger, trigger_id, trigger_key, replay_of,
       node, failed_task, error_kind, error_message, error_location, fingerprint, caused_by, archived as "archived!"
from (
    select id, namespace, workflow, version, key, status::text, owner, wake_at, deadline_at, started_at, finished_at,
           parent, metadata::text, trigger, trigger_id, trigger_key, replay_of, node, failed_task, error_kind,
           error_message, error_location, fingerprint, caused_by, false as archived
    from runlog.runs
    where id = any($1::uuid[])
    union all
    select id, namespace, workflow, version, key, status::text, null, null, null, started_at, finished_at,
           parent, metadata::text, trigger, trigger_id, trigger_key, replay_of, node, failed_task, error_kind,
           error_message, error_location, fingerprint, caused_by, true
    from runlog.archived_runs
    where id = any($1::uuid[])
) run
order by id
