-- Lists trigger events, the newest first.
-- binds: namespace, key or null, after: pushed_at and id or null, limit
-- index: trigger_events_pushed
select namespace, id, key, payload, metadata::text as "metadata!", pushed_at, pushed_by, outcomes
from runlog.trigger_events
where namespace = $1
  and ($2::text is null or key = $2)
  and ($3::timestamptz is null or pushed_at < $3 or (pushed_at = $3 and id > $4))
order by pushed_at desc, id
limit $5
