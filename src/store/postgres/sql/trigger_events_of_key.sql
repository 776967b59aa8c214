-- Lists the trigger events of a key, the newest first.
-- binds: namespace, key, after: pushed_at and id or null, limit
-- index: trigger_events_key
select namespace, id, key, payload, metadata::text as "metadata!", pushed_at, pushed_by, outcomes
from runlog.trigger_events
where namespace = $1
  and key = $2
  -- The first line is for the index.
  and pushed_at <= coalesce($3::timestamptz, 'infinity')
  and ($3::timestamptz is null or pushed_at < $3 or id > $4)
order by pushed_at desc, id
limit $5
