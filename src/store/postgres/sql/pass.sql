-- Reads what the retention passes came to.
-- binds: none
-- index: retention_pass_pkey
select held_by, held_until, clock_timestamp() as "now!", begun_at, ended_at, next_at, failures, failed_at, error, archived, deleted,
       months, archived_ever, deleted_ever
from runlog.retention_pass
