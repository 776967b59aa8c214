-- Notes how far the exporter has looked through the runs; null = through all. Does nothing if they are to be looked through
-- anew.
-- binds: the process's token, the run
-- index: exporter_pkey
update runlog.exporter
set sweep_after = $2,
    sweep_since = case when $2::uuid is not null then sweep_since end,
    sweep_waits = case when $2::uuid is not null then sweep_waits end
where holder = $1 and sweep_waits is not null
