-- A timer fires and a wait for a signal times out only while it is open, hence once.
-- What SQL cannot know: which wait took a signal, for that is the fold's.
-- binds: first run, last run, now, grace
-- index: events_pkey
select run_id as run,
       array_remove(array[before_seq, seq], null) as seqs,
       format('%s of %s in task %s follows %s', kind, op, task, coalesce(before, 'no beginning')) as detail
from (
    select run_id, seq, kind, task, op, lag(kind) over op_log as before, lag(seq) over op_log as before_seq
    from (
        select run_id, seq, kind, task, payload::json ->> 'op' as op
        from runlog.events
        where run_id between $1 and $2
          and kind in ('timer_started', 'timer_fired', 'signal_awaited', 'signal_timed_out', 'wait_abandoned')
    ) e
    window op_log as (partition by run_id, task, op order by seq)
) e
where kind = 'timer_fired' and before is distinct from 'timer_started'
   or kind = 'signal_timed_out' and before is distinct from 'signal_awaited'
order by run_id, seq
