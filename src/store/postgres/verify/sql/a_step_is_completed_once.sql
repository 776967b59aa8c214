-- A step has one recorded outcome, whatever attempt recorded it, or a replay took over.
-- binds: first run, last run, now, grace
-- index: events_pkey
select run_id as run,
       array_agg(seq order by seq) as seqs,
       format('step %s of task %s is completed %s times', op, task, count(*)) as detail
from (
    select run_id, seq, task, payload::json ->> 'op' as op
    from runlog.events
    where run_id between $1 and $2
      and (kind = 'step_completed' or kind = 'op_reused' and payload::json #> '{recorded,step}' is not null)
) e
group by run_id, task, op
having count(*) > 1
order by run_id, min(seq)
