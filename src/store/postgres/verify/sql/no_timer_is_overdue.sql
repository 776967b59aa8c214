-- A run that a node owns has no open timer whose time is past: since when it was claimed at the latest.
-- binds: first run, last run, now, grace
-- index: runs_owner, events_pkey
with owned as (
    select id, claimed_at from runlog.runs where id between $1 and $2 and owner is not null and status = 'RUNNING'
),
last as (
    select distinct on (e.run_id, e.task, e.payload::json ->> 'op')
           e.run_id, e.seq, e.kind, e.task, e.payload::json ->> 'op' as op,
           (e.payload::json ->> 'fire_at')::timestamptz as fire_at
    from owned
    join runlog.events e on e.run_id = owned.id
    where e.run_id between $1 and $2
      and e.kind in ('timer_started', 'timer_fired', 'wait_abandoned', 'attempt_started', 'attempt_succeeded',
                     'attempt_failed')
    order by e.run_id, e.task, e.payload::json ->> 'op', e.seq desc
)
select t.run_id as run,
       array[t.seq] as seqs,
       format('timer %s of task %s is due for %s', t.op, t.task, $3::timestamptz - t.fire_at) as detail
from last t
-- Without an operation: the task's last attempt. A timer outlives a failed one, and fires in the next.
join last a on a.run_id = t.run_id and a.task = t.task and a.op is null and a.kind = 'attempt_started'
join owned on owned.id = t.run_id
where t.kind = 'timer_started'
  and greatest(t.fire_at, owned.claimed_at) < $3::timestamptz - $4::interval
order by t.run_id, t.seq
