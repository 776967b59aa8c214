-- Lists the limits of one workflow or all.
-- binds: a workflow, or null for all; rows at most
-- index: limits_pkey
select workflow, name, slots, starts, window_ms, quiet_ms, max_wait_ms, policy, key_by, since
from runlog.limits
where $1::text is null or workflow = $1
order by workflow
limit $2
