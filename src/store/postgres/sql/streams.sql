-- Lists the streams of a run with how many chunks each has.
-- binds: run
-- index: chunks_pkey (run_id, stream, n)
select stream, max(n) as "chunks!" from runlog.chunks where run_id = $1 group by stream order by stream
