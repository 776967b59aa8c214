-- Reads the schedules that are to be looked at, the longest due first.
-- binds: limit
-- index: schedules_wake
select id, namespace, name, workflow, cron, zone, once_at, input, metadata::text as "metadata!", priority, misfire, declared,
       created_at, created_by, revision, paused_at, paused_by, next_at, last_due, last_run, fired, failure, failures, ended_at
from runlog.schedules
where wake_at <= clock_timestamp()
order by wake_at
limit $1
