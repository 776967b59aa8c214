-- A run's log counts its events 1, 2, 3, … without a hole.
-- binds: first run, last run, now, grace
-- index: events_pkey
select run_id as run,
       array(select generate_series(before + 1, least(seq - 1, before + 8))) as seqs,
       format('seq %s follows %s', seq, before) as detail
from (
    select run_id, seq, lag(seq, 1, 0) over (partition by run_id order by seq) as before
    from runlog.events
    where run_id between $1 and $2
) e
where seq <> before + 1
order by run_id, seq
