-- A log has at most one terminal event, and nothing after it. That an ended run has one and a live run none is
-- status_is_the_fold.
-- binds: first run, last run, now, grace
-- index: events_pkey
with ended as (
    select run_id, min(seq) as seq
    from runlog.events
    where run_id between $1 and $2 and kind in ('run_succeeded', 'run_failed', 'run_cancelled', 'run_timed_out')
    group by run_id
)
select e.run_id as run,
       array_agg(e.seq order by e.seq) as seqs,
       format('the run ended at seq %s, and %s follows', ended.seq, string_agg(e.kind, ', ' order by e.seq)) as detail
from ended
join runlog.events e on e.run_id = ended.run_id and e.seq > ended.seq
where e.run_id between $1 and $2
group by e.run_id, ended.seq
order by e.run_id
