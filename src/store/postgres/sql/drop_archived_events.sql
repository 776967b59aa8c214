-- Removes the events of archived runs from the one part of the log that is never dropped; the others wait for their month's
-- end. Needs permit_retention in the same transaction.
-- binds: runs
-- index: events_default_pkey
delete from runlog.events_default where run_id = any($1::uuid[])
