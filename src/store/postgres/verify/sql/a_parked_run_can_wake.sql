-- A run that nobody owns is due some time, or waits for a signal or a child; and it is due no later than its timers.
-- binds: first run, last run, now, grace
-- index: runs_dispatch, runs_parked, events_pkey, inbox_run
with parked as (
    select id, status, wake_at from runlog.runs
    where id between $1 and $2 and owner is null and status in ('QUEUED', 'RUNNING')
),
last as (
    select distinct on (e.run_id, e.task, e.payload::json ->> 'op')
           e.run_id, e.seq, e.kind, e.task, e.payload::json ->> 'op' as op,
           (e.payload::json ->> 'fire_at')::timestamptz as fire_at
    from parked
    join runlog.events e on e.run_id = parked.id
    where e.run_id between $1 and $2
      and e.kind in ('timer_started', 'timer_fired', 'signal_awaited', 'signal_timed_out', 'wait_abandoned',
                     'child_started', 'attempt_started', 'attempt_succeeded', 'attempt_failed')
    order by e.run_id, e.task, e.payload::json ->> 'op', e.seq desc
),
open as (
    select o.run_id, o.seq, o.kind, o.op, o.fire_at
    from last o
    join last a on a.run_id = o.run_id and a.task = o.task and a.op is null and a.kind = 'attempt_started'
    where o.kind in ('timer_started', 'signal_awaited', 'child_started')
)
select p.id as run,
       array[]::int[] as seqs,
       case
           when p.status = 'QUEUED' then 'the run is QUEUED and never due'
           when exists (select from runlog.inbox i where i.run_id = p.id) then 'the run has a message and is never due'
           else 'the run waits for nothing and is never due'
       end as detail
from parked p
where p.wake_at is null
  and (
      p.status = 'QUEUED'
      or exists (select from runlog.inbox i where i.run_id = p.id)
      or not exists (select from open o where o.run_id = p.id)
  )
union all
select p.id, array[o.seq],
       format('timer %s is due at %s, the run %s', o.op, o.fire_at, coalesce('at ' || p.wake_at, 'never'))
from parked p
join open o on o.run_id = p.id and o.kind = 'timer_started'
-- Whoever releases a dead node's runs makes them due at once, which is later than a timer that is due already.
where p.wake_at is null or p.wake_at > greatest(o.fire_at, $3::timestamptz)
order by run, seqs
