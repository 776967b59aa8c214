-- An attempt has one end, and a task one output.
-- binds: first run, last run, now, grace
-- index: events_pkey
select run_id as run,
       array_agg(seq order by seq) as seqs,
       format('task %s has %s ends of %s attempts, %s of them with an output', task, count(*), count(distinct attempt),
              count(*) filter (where kind = 'attempt_succeeded')) as detail
from runlog.events
where run_id between $1 and $2 and kind in ('attempt_succeeded', 'attempt_failed')
group by run_id, task
having count(*) > count(distinct attempt) or count(*) filter (where kind = 'attempt_succeeded') > 1
order by run_id, min(seq)
