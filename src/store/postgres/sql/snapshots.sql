-- Reads the snapshots of runs.
-- binds: runs
-- index: snapshots_pkey
select run_id, seq, format, bytes from runlog.snapshots where run_id = any($1::uuid[])
