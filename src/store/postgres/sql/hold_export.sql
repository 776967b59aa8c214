-- Keeps the process the exporter. No row: it no longer is.
-- binds: the process's token, for how long without a word of it
-- index: exporter_pkey
update runlog.exporter
set held_until = clock_timestamp() + $2::interval
where holder = $1 and held_until >= clock_timestamp()
