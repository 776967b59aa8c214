-- A log moves the status only as Status::may_become allows. What follows an end is nothing_follows_the_end.
-- binds: first run, last run, now, grace
-- index: events_pkey
select run_id as run, array[before_seq, seq] as seqs, format('%s follows %s', kind, before) as detail
from (
    select run_id, seq, kind, lag(kind) over log as before, lag(seq) over log as before_seq
    from runlog.events
    where run_id between $1 and $2
      and (
          kind = 'run_created' and seq = 1
          or kind in ('run_started', 'run_succeeded', 'run_failed', 'run_cancelled', 'run_timed_out')
      )
    window log as (partition by run_id order by seq)
) e
where before = 'run_created' and kind = 'run_succeeded' or before = 'run_started' and kind = 'run_started'
order by run_id, seq
