-- Every open wait for a signal by key stands where senders look for it.
-- What SQL cannot know: which wait a signal ended, so no word on runs that ever got one of that name and key.
-- binds: first run, last run, now, grace
-- index: runs_pkey, events_pkey, inbox_run, signal_waits_pkey
with awaited as (
    select distinct e.run_id, e.payload::json ->> 'signal' as name, e.payload::json ->> 'key' as key
    from runlog.events e
    join runlog.runs r on r.id = e.run_id and r.status = 'RUNNING'
    where e.run_id between $1 and $2 and e.kind = 'signal_awaited' and e.payload::json ->> 'key' is not null
),
last as (
    select distinct on (e.run_id, e.task, e.payload::json ->> 'op')
           e.run_id, e.seq, e.kind, e.task, e.payload::json ->> 'op' as op, e.payload::json as payload
    from (select distinct run_id from awaited) a
    join runlog.events e on e.run_id = a.run_id
    where e.run_id between $1 and $2
      and e.kind in ('signal_awaited', 'signal_timed_out', 'wait_abandoned', 'attempt_started', 'attempt_succeeded',
                     'attempt_failed')
    order by e.run_id, e.task, e.payload::json ->> 'op', e.seq desc
),
open as (
    select w.run_id, w.payload ->> 'signal' as name, w.payload ->> 'key' as key, count(*) as waits,
           array_agg(w.seq order by w.seq) as seqs
    from last w
    -- Without an operation: the task's last attempt.
    join last a on a.run_id = w.run_id and a.task = w.task and a.op is null and a.kind = 'attempt_started'
    where w.kind = 'signal_awaited' and w.payload ->> 'key' is not null
    group by w.run_id, w.payload ->> 'signal', w.payload ->> 'key'
)
select o.run_id as run,
       o.seqs,
       format('the run waits %s times for signal %s of key %s, senders find %s', o.waits, o.name, o.key,
              coalesce(w.waits, 0)) as detail
from open o
left join runlog.signal_waits w on w.run_id = o.run_id and w.name = o.name and w.key = o.key
where coalesce(w.waits, 0) < o.waits
  and not exists (
      select from runlog.events s
      where s.run_id = o.run_id and s.kind = 'signal_received'
        and s.payload::json ->> 'name' = o.name and s.payload::json ->> 'key' = o.key
  )
  and not exists (
      select from runlog.inbox i
      where i.run_id = o.run_id and i.body::json #>> '{signal,name}' = o.name and i.body::json #>> '{signal,key}' = o.key
  )
order by run
