-- At no instant more runs of a key are RUNNING than its limit has slots; since it has so many.
-- binds: first run, last run, now, grace
-- index: events_pkey, limits_pkey
with created as (
    select e.run_id, c.payload ->> 'workflow' as workflow, c.payload ->> 'namespace' as namespace,
           c.payload -> 'limit' ->> 'key' as key
    from runlog.events e
    cross join lateral (select e.payload::json as payload) c
    where e.run_id between $1 and $2 and e.seq = 1 and e.kind = 'run_created'
      and c.payload -> 'limit' ->> 'problem' is null
      and c.payload -> 'limit' is not null
),
spans as (
    select c.*, l.name, l.slots, l.since, s.seq, s.time as began,
           (
               select min(f.time)
               from runlog.events f
               where f.run_id = c.run_id and f.seq > s.seq
                 and f.kind in ('run_succeeded', 'run_failed', 'run_cancelled', 'run_timed_out')
           ) as ended
    from created c
    join runlog.limits l on l.workflow = c.workflow
    join runlog.events s on s.run_id = c.run_id and s.kind = 'run_started'
),
-- Who ends frees the slot for who begins later, never at the same instant.
marks as (
    select s.*, s.began as at, 1 as change from spans s
    union all
    select s.*, s.ended, -1 from spans s where s.ended is not null
),
counted as (
    select m.*,
           sum(change) over (partition by workflow, namespace, key order by at, change rows unbounded preceding) as runs
    from marks m
)
select run_id as run, array[seq] as seqs,
       format('run number %s of key %s of limit %s, which has %s slots', runs, key, name, slots) as detail
from counted
where change = 1 and runs > slots and at >= since
order by run_id
