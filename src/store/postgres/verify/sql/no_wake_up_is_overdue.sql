-- A run that nobody owns is claimed when it is due, and ended when its deadline passes: late only while all nodes that
-- could take it are full, and not before its start while its workflow is paused. With no living node that serves it, it is reported: nobody will.
-- binds: first run, last run, now, grace
-- index: runs_due, runs_spaces, pauses_pkey, runs_deadline, leases_pkey
with living as (
    select node from runlog.leases group by node having bool_and(not dead and lease_until > $3::timestamptz)
),
serving as (
    select s.workflow, s.version,
           bool_or((n.slots is null or held.runs < n.slots) and held.of_workflow < s.slots) as has_room
    from living
    join runlog.served s on s.node = living.node
    join runlog.nodes n on n.id = living.node
    cross join lateral (
        select count(*) as runs, count(*) filter (where r.workflow = s.workflow) as of_workflow
        from runlog.runs r
        where r.owner = living.node
    ) held
    group by s.workflow, s.version
)
select r.id as run,
       array[]::int[] as seqs,
       format('%s %s is %s, due for %s%s', r.workflow, r.version, r.status,
              $3::timestamptz - least(r.wake_at, r.deadline_at),
              case when r.deadline_at < r.wake_at then ', to be timed out' else '' end) as detail
from runlog.runs r
left join serving on serving.workflow = r.workflow and serving.version = r.version
where r.id between $1 and $2
  and r.owner is null
  and (r.wake_at is not null or r.deadline_at is not null)
  and least(r.wake_at, r.deadline_at) < $3::timestamptz - $4::interval
  and (
      r.status = 'RUNNING'
      or r.deadline_at < $3::timestamptz - $4::interval
      or not exists (select from runlog.pauses p where p.workflow = r.workflow and p.namespace = r.namespace)
  )
  and serving.has_room is not false
  -- What may have killed its nodes is given out a few at a time, while a node watches how it goes.
  and (r.deaths < 2 or not exists (select from runlog.runs o where o.deaths >= 2 and o.owner is not null))
order by r.id
