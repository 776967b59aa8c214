-- Notes why an occurrence could not be started, and when to try again.
-- binds: schedule, revision, failure, retry_at
-- index: schedules_pkey
update runlog.schedules
set failure = $3, failures = failures + 1, wake_at = $4, revision = revision + 1
where id = $1 and revision = $2 and wake_at is not null
