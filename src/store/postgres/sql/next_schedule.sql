-- Says when the next schedule is to be looked at: all that an idle node asks.
-- binds: none
-- index: schedules_wake
select clock_timestamp() as "now!",
       (select wake_at from runlog.schedules where wake_at is not null order by wake_at limit 1) as wake_at
