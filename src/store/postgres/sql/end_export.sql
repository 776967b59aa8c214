-- Makes room for another exporter.
-- binds: the process's token
-- index: exporter_pkey
update runlog.exporter set holder = null, held_by = null, held_until = null where holder = $1
