-- Removes trigger events that were pushed long ago.
-- binds: how long ago, how many at most
-- index: trigger_events_old
with old as materialized (
    select namespace, id
    from runlog.trigger_events
    where pushed_at < clock_timestamp() - $1::interval
    order by pushed_at
    limit $2
    for update skip locked
)
delete from runlog.trigger_events t using old where t.namespace = old.namespace and t.id = old.id
