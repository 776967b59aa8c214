-- Makes the process the one exporter, unless there is another.
-- binds: the process's token, its name, for how long without a word of it
-- index: exporter_pkey
update runlog.exporter
set holder = $1, held_by = $2, held_until = clock_timestamp() + $3::interval
where holder = $1 or held_until is null or held_until < clock_timestamp()
returning one as "one!"
