-- Removes what is left of the logs of deleted runs in months that are not dropped yet. Needs permit_retention in the same
-- transaction.
-- binds: runs
-- index: events_pkey
delete from runlog.events where run_id = any($1::uuid[])
