-- A run that nobody owns is due no later than what it waits for: its queue, its timers and timeouts, its messages.
-- What SQL cannot know: whether one that is never due waits for anybody; code may wait for its own cancel alone.
-- binds: first run, last run, now, grace
-- index: runs_due, runs_spaces, runs_parked, events_pkey, inbox_run
with parked as (
    select id, status, wake_at, gate_at
    from runlog.runs
    where id between $1 and $2 and owner is null and status in ('QUEUED', 'RUNNING')
),
last as (
    select distinct on (e.run_id, e.task, e.payload::json ->> 'op')
           e.run_id, e.seq, e.kind, e.task, e.payload::json ->> 'op' as op, e.payload::json as payload
    from parked
    join runlog.events e on e.run_id = parked.id
    where e.run_id between $1 and $2
      and e.kind in ('timer_started', 'timer_fired', 'signal_awaited', 'signal_timed_out', 'wait_abandoned',
                     'attempt_started', 'attempt_succeeded', 'attempt_failed')
    order by e.run_id, e.task, e.payload::json ->> 'op', e.seq desc
),
-- Waits with an end on the clock. One for a signal may be over when such a signal ever came: that is the fold's.
waits as (
    select w.run_id, w.seq, w.op, coalesce(w.payload ->> 'fire_at', w.payload ->> 'deadline')::timestamptz as due
    from last w
    -- Without an operation: the task's last attempt.
    join last a on a.run_id = w.run_id and a.task = w.task and a.op is null and a.kind = 'attempt_started'
    where w.kind = 'timer_started'
       or w.kind = 'signal_awaited'
       and w.payload ->> 'deadline' is not null
       and not exists (
           select from runlog.events s
           where s.run_id = w.run_id and s.kind = 'signal_received'
             and s.payload::json ->> 'name' = w.payload ->> 'signal'
       )
),
-- Times that a task's conditions wait for: until it begins or is skipped, or the run only comes to rest.
conditions as (
    select o.run_id, o.seq, o.task, min((due.term ->> 1)::timestamptz) as due
    from parked
    join runlog.events o on o.run_id = parked.id and o.kind = 'conditions_opened'
    cross join lateral json_array_elements(o.payload::json -> 'due') as due (term)
    where o.run_id between $1 and $2
      and not exists (
          select from runlog.events c
          where c.run_id = o.run_id
            and (
                c.task = o.task and c.kind in ('attempt_started', 'task_skipped')
                or c.task = o.task and c.kind = 'condition_decided' and c.payload::json ->> 'term' = due.term ->> 0
                or c.kind = 'attempt_failed' and c.payload::json ->> 'retry_at' is null
                or c.kind = 'cancel_requested'
            )
      )
    group by o.run_id, o.seq, o.task
)
select p.id as run,
       array[]::int[] as seqs,
       case when p.status = 'QUEUED' then 'the run is QUEUED and never due'
            else 'the run has a message and is never due'
       end as detail
from parked p
where p.wake_at is null
  and (p.status = 'QUEUED' and p.gate_at is null or exists (select from runlog.inbox i where i.run_id = p.id))
union all
select p.id, array[w.seq],
       format('the wait %s is over at %s, the run is due %s', w.op, w.due, coalesce('at ' || p.wake_at, 'never'))
from parked p
join waits w on w.run_id = p.id
-- Whoever releases a dead node's runs makes them due at once, which is later than a wait that is over already.
where p.wake_at is null or p.wake_at > greatest(w.due, $3::timestamptz)
union all
select p.id, array[c.seq],
       format('a condition of task %s is met at %s, the run is due %s', c.task, c.due, coalesce('at ' || p.wake_at, 'never'))
from parked p
join conditions c on c.run_id = p.id
where p.wake_at is null or p.wake_at > greatest(c.due, $3::timestamptz)
order by run, seqs
