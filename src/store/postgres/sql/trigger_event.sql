-- Reads a trigger event.
-- binds: namespace, id
-- index: trigger_events_pkey
select namespace, id, key, payload, metadata::text as "metadata!", pushed_at, pushed_by, outcomes
from runlog.trigger_events
where namespace = $1 and id = $2
