-- A stream counts its chunks 1, 2, 3, … without a hole.
-- binds: first run, last run, now, grace
-- index: chunks_pkey
select run_id as run,
       array[]::int[] as seqs,
       format('chunk %s of stream %s follows chunk %s', n, stream, before) as detail
from (
    select run_id, stream, n, lag(n, 1, 0) over (partition by run_id, stream order by n) as before
    from runlog.chunks
    where run_id between $1 and $2
) c
where n <> before + 1
order by run_id, stream, n
