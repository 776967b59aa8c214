-- Timers fire, waits and runs time out, retries and delayed runs begin at their time or after it, on the database's
-- clock.
-- binds: first run, last run, now, grace
-- index: events_pkey
with timed as (
    select run_id, seq, kind, time, task, payload::json as payload
    from runlog.events
    where run_id between $1 and $2
      and kind in ('run_created', 'run_started', 'run_timed_out', 'attempt_started', 'attempt_failed', 'timer_started',
                   'timer_fired', 'signal_awaited', 'signal_timed_out', 'wait_abandoned')
),
-- The clock that an event had to wait for stands in itself, or in the one before it of its run, task or operation.
waited as (
    select run_id, seq, kind, time,
           case when kind = 'run_timed_out' then seq else lag(seq) over story end as since,
           case
               when kind = 'run_timed_out' then payload ->> 'deadline'
               when kind = 'run_started' and lag(kind) over story = 'run_created'
                   then lag(payload) over story ->> 'start_at'
               when kind = 'attempt_started' and lag(kind) over story = 'attempt_failed'
                   then lag(payload) over story ->> 'retry_at'
               when kind = 'timer_fired' and lag(kind) over story = 'timer_started'
                   then lag(payload) over story ->> 'fire_at'
               when kind = 'signal_timed_out' and lag(kind) over story = 'signal_awaited'
                   then lag(payload) over story ->> 'deadline'
           end::timestamptz as due
    from timed
    window story as (partition by run_id, task, payload ->> 'op' order by seq)
)
select run_id as run,
       case when since = seq then array[seq] else array[since, seq] end as seqs,
       format('%s is %s early', kind, due - time) as detail
from waited
where time < due
order by run_id, seq
