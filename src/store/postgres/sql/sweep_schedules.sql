-- Removes one-off schedules that ended long ago.
-- binds: how long ago, how many at most
-- index: schedules_ended
with old as materialized (
    select id
    from runlog.schedules
    where ended_at < clock_timestamp() - $1::interval and cron is null
    order by ended_at
    limit $2
    for update skip locked
)
delete from runlog.schedules s using old where s.id = old.id
