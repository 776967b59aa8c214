-- Gives unowned live runs to a node whose lease is alive, and says what else concerns it; one cheap look when idle.
-- binds: node, served workflows, their versions, runs wanted by name, runs at most, mailed runs at most
-- index: leases_pkey, runs_dispatch, runs_pkey, runs_deadline, inbox_run
with me as materialized (
    select l.node, clock_timestamp() as now
    from runlog.leases l
    where l.node = $1 and l.lane = -1 and not l.dead and l.lease_until > clock_timestamp()
    for share
),
mail as materialized (
    select distinct run_id from runlog.inbox
),
wanted as materialized (
    (
        -- The most urgent among the longest due: nobody waits behind more than a window of higher priority.
        select due.id
        from me
        cross join unnest($2::text[], $3::text[]) as s (workflow, version)
        cross join lateral (
            select r.id, r.wake_at, r.priority
            from runlog.runs r
            where r.workflow = s.workflow and r.version = s.version and r.wake_at <= me.now
            order by r.wake_at
            limit $5::bigint * 8
        ) due
        order by due.priority desc, due.wake_at
        limit $5
    )
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
        for no key update skip locked
    ) f
    limit $5
),
claimed as (
    update runlog.runs r set owner = me.node, wake_at = null, claimed_at = me.now, claims = r.claims + 1
    from me
    where r.id = any(array(select id from free))
    returning r.id
)
select (select count(*) from me) as "alive!",
       array(select id from claimed) as "claimed!",
       array(
           select r.id from mail join runlog.runs r on r.id = mail.run_id where r.owner = $1 limit $6
       ) as "mailed!",
       least(
           (
               select min(next.wake_at)
               from me
               cross join unnest($2::text[], $3::text[]) as s (workflow, version)
               cross join lateral (
                   select r.wake_at
                   from runlog.runs r
                   where r.workflow = s.workflow and r.version = s.version and r.wake_at > me.now
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
