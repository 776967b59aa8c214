-- Removes what the code of archived runs wrote beside their logs: lines, and chunks of streams.
-- binds: runs
-- index: log_lines_pkey, chunks_pkey
with lines as (
    delete from runlog.log_lines where run_id = any($1::uuid[])
)
delete from runlog.chunks where run_id = any($1::uuid[])
