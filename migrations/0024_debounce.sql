-- Limits that wait until a key is quiet: of the runs of a key that come one after the other, the newest is let in. The previous
-- release works on: it lets runs in by the same function, and knows nothing of the new columns.

alter table runlog.limits
    -- A run is let in when no newer one of its key came for so long; null without such a wait.
    add column quiet_ms bigint check (quiet_ms > 0),
    -- Or so long after the first came that was not let in; null = however long that takes.
    add column max_wait_ms bigint,
    add constraint limits_debounce_check
        check (max_wait_ms is null or (quiet_ms is not null and max_wait_ms >= quiet_ms));

alter table runlog.runs
    -- Since when runs of its key come of which it is the newest, none of them let in: null = since it came itself.
    add column burst_at timestamptz;

-- As before, but for runs that are told of late, or were to start before: such a run comes now, not before those that are there.
create or replace function runlog.stand_at_gate() returns trigger language plpgsql as $$
begin
    new.gate := encode(substring(sha256(convert_to(
        new.namespace || e'\x1f' || new.workflow || e'\x1f' || new.limit_key, 'UTF8')) for 16), 'hex')::uuid;
    new.gate_at := greatest(new.wake_at, clock_timestamp());
    new.order_at := new.wake_at - new.priority * interval '1 minute';
    new.wake_at := null;
    insert into runlog.gate_calls (gate, at) values (new.gate, new.gate_at);
    return new;
end
$$;

-- When a run that stands at its gate may be let in, as long as no newer one comes.
create function runlog.opens_at(gate_at timestamptz, burst_at timestamptz, quiet_ms bigint, max_wait_ms bigint)
returns timestamptz language sql stable as $$
    -- The least of those that are not null.
    select coalesce(
        least(gate_at + quiet_ms * interval '1 ms', coalesce(burst_at, gate_at) + max_wait_ms * interval '1 ms'),
        gate_at
    )
$$;

-- Has at each of the gates whose limit waits until its key is quiet the newest run stand for all that stand there: the others
-- are cancelled, once. The caller has the gates' locks.
create function runlog.debounce(called uuid[], looked_at timestamptz) returns void language plpgsql as $$
begin
    with standing as materialized (
        select g.id, l.name, g.limit_key,
               first_value(g.id) over newer as newest,
               count(*) over (partition by c.gate) as runs,
               min(coalesce(g.burst_at, g.gate_at)) over (partition by c.gate) as burst_at
        from unnest(called) as c (gate)
        cross join lateral (
            select g.workflow from runlog.runs g where g.gate = c.gate and g.gate_at is not null limit 1
        ) of_gate
        join runlog.limits l on l.workflow = of_gate.workflow and l.quiet_ms is not null
        join runlog.runs g on g.gate = c.gate and g.gate_at <= looked_at and not g.gives_way
        window newer as (partition by c.gate order by g.gate_at desc, g.id desc)
    ),
    -- In the order of their ids, as appends lock whom they send mail to.
    locked as materialized (
        select r.id, s.name, s.limit_key, s.newest, s.burst_at
        from runlog.runs r join standing s on s.id = r.id
        where s.runs > 1 and r.gate_at is not null and r.status = 'QUEUED'
        order by r.id
        for no key update of r
    ),
    told as (
        insert into runlog.inbox (run_id, body, sent_at)
        select id,
               json_build_object('cancel', json_build_object(
                   'reason', format('limit `%s`%s is debounced, and run %s came after it', name,
                                    case when limit_key <> '' then format(' of key `%s`', limit_key) else '' end, newest),
                   'by', format('limit `%s`', name),
                   'grace_ms', 5000
               ))::text,
               clock_timestamp()
        from locked
        where id <> newest
    )
    update runlog.runs r
    set mail = r.mail + (r.id <> locked.newest)::int, gives_way = r.id <> locked.newest,
        burst_at = case when r.id = locked.newest then locked.burst_at else r.burst_at end
    from locked
    where r.id = locked.id;
end
$$;

-- As before, but for limits that wait until a key is quiet: answers at most `calls_max` calls, and returns how many it
-- answered. A gate whose rate is used up, or whose key is not quiet yet, is called again for when the next run may be let in.
-- A gate is looked at by one transaction at a time. What that counts, it reads in a statement that begins after it has the
-- lock: others that were let in are committed by then, and who ends meanwhile only leaves a slot free, and another call.
create or replace function runlog.let_in(calls_max int) returns int language plpgsql as $$
declare
    called uuid[];
    left_gates uuid[];
    left_served timestamptz[];
    calls int;
    looked_at timestamptz;
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
    -- One instant for all that are let in now. Should the clock have gone back, those of later count, too.
    looked_at := clock_timestamp();
    -- In a statement of its own: who comes after it has a call of its own, and is looked at then.
    if exists (select from runlog.limits where quiet_ms is not null) then
        perform runlog.debounce(called, looked_at);
    end if;
    with free as materialized (
        select c.gate, l.policy, l.quiet_ms, l.max_wait_ms, l.starts is not null or l.quiet_ms is not null as noted,
               -- The least of those that are not null.
               least(
                   coalesce(l.slots, 1000) - (
                       select count(*)
                       from runlog.runs o
                       where o.gate = c.gate and o.gate_at is null and o.status in ('QUEUED', 'RUNNING')
                   ),
                   l.starts - (
                       select count(*)
                       from runlog.runs o
                       where o.gate = c.gate and o.let_in_at > looked_at - l.window_ms * interval '1 ms'
                   )
               ) as slots
        from unnest(called) as c (gate)
        -- A workflow that has a limit no more lets them in as they are called.
        left join lateral (
            select l.slots, l.policy, l.starts, l.window_ms, l.quiet_ms, l.max_wait_ms
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
        select g.id, free.policy, free.noted, free.quiet_ms, gone.served
        from free
        cross join lateral (
            select g.id, row_number() over (order by g.order_at, g.id) as place
            from (
                select g.id, g.order_at
                from runlog.runs g
                where g.gate = free.gate and g.gate_at is not null and g.owner is null and not g.gives_way
                  and runlog.opens_at(g.gate_at, g.burst_at, free.quiet_ms, free.max_wait_ms) <= looked_at
                order by g.order_at, g.id
                limit greatest(free.slots, 0)
            ) g
        ) g
        left join gone on gone.gate = free.gate and gone.place = g.place
    ),
    -- In the order of their ids, as appends lock whom they send mail to.
    locked as materialized (
        select r.id, first.policy, first.noted, first.quiet_ms, first.served
        from runlog.runs r join first on first.id = r.id
        where r.gate_at is not null and r.owner is null
        order by r.id
        for no key update of r
    )
    update runlog.runs r
    set gate_at = null, wake_at = greatest(r.gate_at, r.created_at),
        let_in_at = case when locked.noted then looked_at end,
        burst_at = case when locked.quiet_ms is not null then coalesce(r.burst_at, r.gate_at) end,
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
    -- Once for each gate and instant, whoever comes to it meanwhile.
    insert into runlog.gate_calls (gate, at)
    select next.gate, next.at
    from (
        select c.gate, of_rate.let_in_at + g.lasts as at
        from unnest(called) as c (gate)
        cross join lateral (
            select l.starts, l.window_ms * interval '1 ms' as lasts
            from (
                select g.workflow
                from runlog.runs g
                where g.gate = c.gate and g.gate_at <= clock_timestamp() and not g.gives_way
                limit 1
            ) g
            join runlog.limits l on l.workflow = g.workflow and l.starts is not null
        ) g
        cross join lateral (
            select r.let_in_at
            from runlog.runs r
            where r.gate = c.gate and r.let_in_at > looked_at - g.lasts
            order by r.let_in_at desc
            limit 1 offset g.starts - 1
        ) of_rate
        union
        select c.gate, min(opens.at)
        from unnest(called) as c (gate)
        cross join lateral (
            select g.workflow from runlog.runs g where g.gate = c.gate and g.gate_at is not null limit 1
        ) of_gate
        join runlog.limits l on l.workflow = of_gate.workflow and l.quiet_ms is not null
        join runlog.runs g on g.gate = c.gate and g.gate_at <= looked_at and not g.gives_way
        cross join lateral (select runlog.opens_at(g.gate_at, g.burst_at, l.quiet_ms, l.max_wait_ms) as at) opens
        where opens.at > looked_at
        group by c.gate
    ) next
    where not exists (select from runlog.gate_calls k where k.at = next.at and k.gate = next.gate);
    return calls;
end
$$;

-- As before, but for limits that wait until a key is quiet: until then nobody is cancelled for a slot or a start.
create or replace function runlog.give_way(called uuid[]) returns void language sql as $$
    with full_gates as materialized (
        select c.gate, l.name, l.slots, l.policy, l.starts, l.window_ms, l.quiet_ms, l.max_wait_ms, g.limit_key,
               l.starts - (
                   select count(*)
                   from runlog.runs o
                   where o.gate = c.gate and o.let_in_at > clock_timestamp() - l.window_ms * interval '1 ms'
               ) as starts_left,
               (
                   select count(*)
                   from runlog.runs o
                   where o.gate = c.gate and o.gate_at is null and o.status in ('QUEUED', 'RUNNING')
               ) < l.slots as has_slots
        from unnest(called) as c (gate)
        cross join lateral (
            select g.workflow, g.limit_key from runlog.runs g where g.gate = c.gate and g.gate_at is not null limit 1
        ) g
        join runlog.limits l on l.workflow = g.workflow and l.policy in ('cancel_oldest', 'cancel_newest')
    ),
    chosen as materialized (
        select g.id, f.name, f.limit_key,
               case
                   when f.has_slots and f.starts is not null
                       then format('lets %s start in %s s, as many as did', f.starts, trim_scale(f.window_ms / 1000.0))
                   else format('has %s slots, all of which are taken', f.slots)
               end as why
        from full_gates f
        join runlog.runs g on g.gate = f.gate and g.gate_at is not null
             and runlog.opens_at(g.gate_at, g.burst_at, f.quiet_ms, f.max_wait_ms) <= clock_timestamp()
        where f.policy = 'cancel_newest' and not g.gives_way
          -- Who came since the gate was looked at has called it: it may be let in yet.
          and not (f.has_slots and coalesce(f.starts_left, 1) > 0)
        union all
        select o.id, f.name, f.limit_key, format('has %s slots, and a newer run needs one', f.slots)
        from full_gates f
        cross join lateral (
            select o.id, o.gives_way
            from runlog.runs o
            where o.gate = f.gate and o.gate_at is null and o.status in ('QUEUED', 'RUNNING')
            -- Who was told before makes room for one of those that wait.
            order by o.gives_way desc, o.id
            limit (
                select greatest(least(count(*), f.starts_left), 0)
                from runlog.runs g
                where g.gate = f.gate and g.gate_at is not null and not g.gives_way
                  and runlog.opens_at(g.gate_at, g.burst_at, f.quiet_ms, f.max_wait_ms) <= clock_timestamp()
            )
        ) o
        where f.policy = 'cancel_oldest' and not f.has_slots and not o.gives_way
    ),
    locked as materialized (
        select r.id, chosen.name, chosen.limit_key, chosen.why
        from runlog.runs r join chosen on chosen.id = r.id
        where r.status in ('QUEUED', 'RUNNING') and not r.gives_way
        order by r.id
        for no key update of r
    ),
    told as (
        insert into runlog.inbox (run_id, body, sent_at)
        select id,
               json_build_object('cancel', json_build_object(
                   'reason', format('limit `%s`%s %s', name,
                                    case when limit_key <> '' then format(' of key `%s`', limit_key) else '' end, why),
                   'by', format('limit `%s`', name),
                   'grace_ms', 5000
               ))::text,
               clock_timestamp()
        from locked
    )
    update runlog.runs r set mail = r.mail + 1, gives_way = true from locked where r.id = locked.id
$$;
