-- Keys take turns by when they were served, not by when a run of theirs was let in. The previous release works on: it calls
-- the same function.

alter table runlog.gate_calls
    -- When the run was served whose end this is.
    add column served timestamptz;

create or replace function runlog.leave_gate() returns trigger language plpgsql as $$
begin
    if old.gate_at is null then
        insert into runlog.gate_calls (gate, at, served)
        values (new.gate, clock_timestamp(), least(old.started_at, old.claimed_at));
    end if;
    new.gate_at := null;
    return new;
end
$$;

-- As before, but for the turns: answers at most `calls_max` calls, and returns how many it answered.
-- A gate is looked at by one transaction at a time. What that counts, it reads in a statement that begins after it has the
-- lock: others that were let in are committed by then, and who ends meanwhile only leaves a slot free, and another call.
create or replace function runlog.let_in(calls_max int) returns int language plpgsql as $$
declare
    called uuid[];
    left_gates uuid[];
    left_served timestamptz[];
    calls int;
begin
    with call as materialized (
        select id from runlog.gate_calls where at <= clock_timestamp() order by at limit calls_max for update skip locked
    ),
    answered as (
        delete from runlog.gate_calls c using call where c.id = call.id returning c.gate, c.served
    )
    select array_agg(distinct gate order by gate), count(*), array_agg(gate) filter (where served is not null),
           array_agg(served) filter (where served is not null)
    into called, calls, left_gates, left_served
    from answered;
    if calls = 0 then
        return 0;
    end if;
    -- 'gate' as a number, and the gate's first bytes; all in one order.
    perform pg_advisory_xact_lock(x'67617465'::int, lock)
    from (select distinct hashtext(gate::text) as lock from unnest(called) as c (gate) order by lock) locks;
    with free as materialized (
        select c.gate, l.policy, coalesce(l.slots, 1000) - (
            select count(*)
            from runlog.runs o
            where o.gate = c.gate and o.gate_at is null and o.status in ('QUEUED', 'RUNNING')
        ) as slots
        from unnest(called) as c (gate)
        -- A workflow that has a limit no more lets them in as they are called.
        left join lateral (
            select l.slots, l.policy
            from (select g.workflow from runlog.runs g where g.gate = c.gate and g.gate_at is not null limit 1) g
            join runlog.limits l on l.workflow = g.workflow
        ) l on true
    ),
    -- Who left a slot free, the longest served first.
    gone as materialized (
        select gate, served, row_number() over (partition by gate order by served) as place
        from unnest(left_gates, left_served) as g (gate, served)
    ),
    first as materialized (
        select g.id, free.policy, gone.served
        from free
        cross join lateral (
            select g.id, row_number() over (order by g.order_at, g.id) as place
            from (
                select g.id, g.order_at
                from runlog.runs g
                where g.gate = free.gate and g.gate_at <= clock_timestamp() and g.owner is null and not g.gives_way
                order by g.order_at, g.id
                limit greatest(free.slots, 0)
            ) g
        ) g
        left join gone on gone.gate = free.gate and gone.place = g.place
    ),
    -- In the order of their ids, as appends lock whom they send mail to.
    locked as materialized (
        select r.id, first.policy, first.served
        from runlog.runs r join first on first.id = r.id
        where r.gate_at is not null and r.owner is null
        order by r.id
        for no key update of r
    )
    update runlog.runs r
    set gate_at = null, wake_at = greatest(r.gate_at, r.created_at),
        order_at = case
            -- Its key's turn comes after those who were served since: not after those who were done sooner. Nobody goes before
            -- those who wait as long as it does.
            when locked.policy = 'round_robin' then
                greatest(coalesce(locked.served, clock_timestamp()), r.gate_at) - r.priority * interval '1 minute'
            else r.order_at
        end
    from locked
    where r.id = locked.id;
    perform runlog.give_way(called);
    return calls;
end
$$;
