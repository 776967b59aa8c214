-- A run that a node owns has no open wait whose time is past, since when it was claimed at the latest.
-- binds: first run, last run, now, grace
-- index: runs_owner, events_pkey
with owned as (
    select id, claimed_at from runlog.runs where id between $1 and $2 and owner is not null and status = 'RUNNING'
),
last as (
    select distinct on (e.run_id, e.task, e.payload::json ->> 'op')
           e.run_id, e.seq, e.kind, e.task, e.payload::json ->> 'op' as op, e.payload::json as payload
    from owned
    join runlog.events e on e.run_id = owned.id
    where e.run_id between $1 and $2
      and e.kind in ('timer_started', 'timer_fired', 'signal_awaited', 'signal_timed_out', 'wait_abandoned',
                     'attempt_started', 'attempt_succeeded', 'attempt_failed')
    order by e.run_id, e.task, e.payload::json ->> 'op', e.seq desc
),
-- Waits with an end on the clock. One for a signal may be over when such a signal ever came: that is the fold's.
waits as (
    select w.run_id, w.seq, w.task, w.op,
           coalesce(w.payload ->> 'fire_at', w.payload ->> 'deadline')::timestamptz as due
    from last w
    -- Without an operation: the task's last attempt. A wait outlives a failed one, and is over in the next.
    join last a on a.run_id = w.run_id and a.task = w.task and a.op is null and a.kind = 'attempt_started'
    where w.kind = 'timer_started'
       or w.kind = 'signal_awaited'
       and w.payload ->> 'deadline' is not null
       and not exists (
           select from runlog.events s
           where s.run_id = w.run_id and s.kind = 'signal_received'
             and s.payload::json ->> 'name' = w.payload ->> 'signal'
       )
)
select w.run_id as run,
       array[w.seq] as seqs,
       format('the wait %s of task %s is over since %s', w.op, w.task, $3::timestamptz - w.due) as detail
from waits w
join owned on owned.id = w.run_id
where greatest(w.due, owned.claimed_at) < $3::timestamptz - $4::interval
order by w.run_id, w.seq
