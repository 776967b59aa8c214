-- Lists trigger events, the newest first.
-- binds: namespace, after: pushed_at and id or null, limit
-- index: trigger_events_pushed
select namespace, id, key, payload, metadata::text as "metadata!", pushed_at, pushed_by, outcomes
from runlog.trigger_events
where namespace = $1
  -- The first line is for the index.
  and pushed_at <= coalesce($2::timestamptz, 'infinity')
  and ($2::timestamptz is null or pushed_at < $2 or id > $3)
order by pushed_at desc, id
limit $4
