-- Says who the exporter is.
-- binds: none
-- index: exporter_pkey
select held_by, held_until, clock_timestamp() as "now!" from runlog.exporter
