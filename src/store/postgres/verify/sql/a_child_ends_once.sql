-- A parent records each child's end once.
-- binds: first run, last run, now, grace
-- index: events_pkey
select run_id as run,
       array_agg(seq order by seq) as seqs,
       format('the end of child %s is recorded %s times', child, count(*)) as detail
from (
    select run_id, seq, payload::json ->> 'run' as child
    from runlog.events
    where run_id between $1 and $2 and kind = 'child_finished'
) e
group by run_id, child
having count(*) > 1
order by run_id, min(seq)
