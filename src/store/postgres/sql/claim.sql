-- Gives unowned live runs to a node whose lease is alive, and says what else concerns it; one cheap look when idle.
-- Runs whose nodes died twice and more without getting any further are suspects: a node takes them in groups that get
-- smaller with every death, one group at a time, and never while it watches another; so the last death was its own doing.
-- Who goes first: see docs/decisions/0034-flow-control.md.
-- binds: node, served workflows, their versions, runs wanted by name, runs at most, mailed runs at most, the fence's token,
-- how many of each served workflow at most, deaths of a poison run, how long suspects are watched
-- index: leases_pkey, runs_queue, runs_due, runs_spaces, runs_pkey, runs_deadline, runs_suspects, inbox_run, pauses_pkey,
-- gate_calls_at
with recursive me as materialized (
    select l.node, clock_timestamp() as now
    from runlog.leases l
    where l.node = $1 and l.lane = -1 and not l.dead and l.lease_until > clock_timestamp()
      and l.token = $7 and l.timeline = runlog.timeline()
    for share
),
served as materialized (
    select * from unnest($2::text[], $3::text[], $8::int[]) as s (workflow, version, slots)
),
mail as materialized (
    select distinct run_id from runlog.inbox
),
paused as materialized (
    select p.workflow, p.namespace from runlog.pauses p where p.workflow = any($2::text[])
),
-- The namespaces in which a workflow has queued runs, if it is paused in any: one step through the index for each.
spaces as (
    select s.workflow, s.version, s.slots, (
        select min(r.namespace)
        from runlog.runs r
        where r.workflow = s.workflow and r.version = s.version and r.status = 'QUEUED' and r.wake_at is not null
    ) as namespace
    from served s
    where s.workflow in (select workflow from paused)
    union all
    select n.workflow, n.version, n.slots, (
        select min(r.namespace)
        from runlog.runs r
        where r.workflow = n.workflow and r.version = n.version and r.status = 'QUEUED' and r.wake_at is not null
          and r.namespace > n.namespace
    )
    from spaces n
    where n.namespace is not null
),
due as materialized (
    -- The queue of runs that could start when they were created: its head.
    select due.id, due.order_at, s.workflow, s.slots
    from me
    cross join served s
    cross join lateral (
        select r.id, r.order_at
        from runlog.runs r
        where r.workflow = s.workflow and r.version = s.version and r.status = 'QUEUED' and r.wake_at is not null
          and r.order_at is not null and r.wake_at <= me.now and r.deaths < 2
        order by r.order_at
        limit least($5::bigint, s.slots) * 8
    ) due
    where s.workflow not in (select workflow from paused)
    union all
    -- What goes on, and what was to start later: the first in their order among the longest due.
    select due.id, due.order_at, s.workflow, s.slots
    from me
    cross join served s
    cross join lateral (
        select r.id, r.wake_at - r.priority * interval '1 minute' as order_at
        from runlog.runs r
        where r.workflow = s.workflow and r.version = s.version and r.wake_at <= me.now and r.deaths < 2
          and (r.status = 'RUNNING' or r.order_at is null)
          and (r.status = 'RUNNING' or r.workflow not in (select workflow from paused))
        order by r.wake_at
        limit least($5::bigint, s.slots) * 8
    ) due
    union all
    -- The queues of the other namespaces of a paused workflow: likewise.
    select due.id, due.order_at, n.workflow, n.slots
    from me
    cross join spaces n
    cross join lateral (
        select r.id, r.wake_at - r.priority * interval '1 minute' as order_at
        from runlog.runs r
        where r.workflow = n.workflow and r.version = n.version and r.namespace = n.namespace and r.status = 'QUEUED'
          and r.wake_at <= me.now and r.deaths < 2
        order by r.wake_at
        limit least($5::bigint, n.slots) * 8
    ) due
    where not exists (select from paused p where p.workflow = n.workflow and p.namespace = n.namespace)
),
suspects as materialized (
    select r.id, r.deaths,
           row_number() over (order by r.deaths desc, r.wake_at) as place,
           max(r.deaths) over () as deaths_max
    from me
    cross join lateral (
        select r.id, r.deaths, r.wake_at
        from runlog.runs r
        where r.deaths >= 2 and r.deaths < $9 and r.wake_at <= me.now
          and exists (
              select from served s where s.workflow = r.workflow and s.version = r.version and s.slots > 0
          )
          and (
              r.status = 'RUNNING'
              or not exists (select from paused p where p.workflow = r.workflow and p.namespace = r.namespace)
          )
        order by r.deaths desc, r.wake_at
        limit 64
    ) r
    where not exists (
        select from runlog.runs o
        where o.deaths >= 2 and o.owner = me.node and o.claimed_at > me.now - $10::interval
    )
),
-- 64, 8, 1, 1, …
group_of_suspects as materialized (
    select id
    from suspects
    where deaths = deaths_max and place <= case deaths_max when 2 then 64 when 3 then 8 else 1 end
),
wanted as materialized (
    (
        select id
        from (
            select due.*, row_number() over (partition by workflow order by order_at) as place from due
        ) ranked
        where place <= slots
        order by order_at
        limit $5
    )
    union
    select id from group_of_suspects
    union
    -- Their end needs no code.
    (select r.id from runlog.runs r where r.deaths >= $9 and r.wake_at is not null limit $5)
    union
    select unnest($4::uuid[])
    union
    select run_id from mail
    union
    (
        select r.id
        from me join runlog.runs r on r.deadline_at <= me.now
        where r.owner is null and r.deadline_at is not null
        limit $5
    )
),
free as materialized (
    select f.id
    from wanted
    -- One look by primary key for each, whatever the planner thinks of the tables.
    cross join lateral (
        select r.id
        from runlog.runs r
        where r.id = wanted.id and r.owner is null and r.status in ('QUEUED', 'RUNNING')
          and (
              r.deaths < 2
              or r.deaths >= $9
              or r.id in (select id from group_of_suspects)
              or not exists (select from served s where s.workflow = r.workflow and s.version = r.version)
          )
        for no key update skip locked
    ) f
    limit $5
),
claimed as (
    update runlog.runs r set owner = me.node, wake_at = null, claimed_at = me.now, claims = r.claims + 1
    from me
    where r.id = any(array(select id from free))
    returning r.id, r.status, r.workflow, r.namespace, r.gate_at
)
select (select count(*) from me) as "alive!",
       array(select id from claimed) as "claimed!",
       -- A message or a deadline brought them here.
       array(
           select c.id
           from claimed c
           where c.status = 'QUEUED'
             and (
                 c.gate_at is not null
                 or exists (select from paused p where p.workflow = c.workflow and p.namespace = c.namespace)
             )
       ) as "held_back!",
       array(select distinct workflow from paused) as "paused!",
       exists (select from runlog.gate_calls g join me on g.at <= me.now) as "called!",
       array(
           select r.id from mail join runlog.runs r on r.id = mail.run_id where r.owner = $1 limit $6
       ) as "mailed!",
       least(
           (select g.at from me join runlog.gate_calls g on g.at > me.now order by g.at limit 1),
           (
               select min(next.wake_at)
               from me
               cross join served s
               cross join lateral (
                   select r.wake_at
                   from runlog.runs r
                   where r.workflow = s.workflow and r.version = s.version and r.wake_at > me.now
                     and (r.status = 'RUNNING' or r.order_at is null)
                   order by r.wake_at
                   limit 1
               ) next
           ),
           (
               select r.deadline_at
               from me join runlog.runs r on r.deadline_at > me.now
               where r.owner is null and r.deadline_at is not null
               order by r.deadline_at
               limit 1
           )
       ) as next_due
