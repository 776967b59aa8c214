-- Ends the process's retention pass.
-- binds: the process's token, what went wrong, how long until the next one
-- index: retention_pass_pkey
update runlog.retention_pass
set holder = null, held_by = null, held_until = null, ended_at = clock_timestamp(),
    next_at = clock_timestamp() + $3::interval,
    failures = case when $2::text is null then 0 else failures + 1 end,
    failed_at = case when $2::text is not null then clock_timestamp() end,
    error = $2
where holder = $1
