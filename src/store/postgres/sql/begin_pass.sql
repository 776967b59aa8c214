-- Begins a retention pass that is due, or asked for, and that nobody is at.
-- binds: the process's token, its name, for how long it has the pass, whether it is asked for
-- index: retention_pass_pkey
update runlog.retention_pass
set holder = $1, held_by = $2, held_until = clock_timestamp() + $3::interval, begun_at = clock_timestamp(),
    archived = 0, deleted = 0, months = '{}'
where (held_until is null or held_until < clock_timestamp()) and ($4 or next_at <= clock_timestamp())
returning failures
