-- Reads the retention policies, that of everything first.
-- binds: none
-- index: retention_pkey
select namespace, workflow, (extract(epoch from archive_after) * 1000)::bigint as archive_ms,
       (extract(epoch from delete_after) * 1000)::bigint as delete_ms
from runlog.retention
order by namespace, workflow
