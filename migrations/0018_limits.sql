-- Limits of concurrency by key. The previous release works on: it creates runs without a key, which no limit counts, and
-- claims none that stands at its gate, for such a run is never due.

-- The limit of each workflow: that of the version that was registered last.
create table runlog.limits (
    workflow text primary key,
    name text not null,
    slots int not null check (slots > 0),
    policy text not null check (policy in ('queue', 'round_robin', 'cancel_oldest', 'cancel_newest')),
    -- Where a run's key comes from, as JSON.
    key_by text not null,
    -- Since when it has so many slots.
    since timestamptz not null default clock_timestamp()
);

alter table runlog.runs
    -- What the run counts for; null without a limit.
    add column limit_key text,
    -- One gate for each namespace, workflow and key.
    add column gate uuid,
    -- Since when, or from when on, it stands at its gate; null once it was let in. While it stands there it is due never.
    add column gate_at timestamptz,
    -- Its limit had it cancelled, for another run of its key.
    add column gives_way boolean not null default false;

-- Who waits at a gate, and who was let in and has not ended.
create index runs_gated on runlog.runs (gate, order_at, id) where gate_at is not null;
create index runs_let_in on runlog.runs (gate)
    where gate is not null and gate_at is null and status in ('QUEUED', 'RUNNING');

-- Gates to be looked at, from when on: somebody came to one, or somebody that it had let in ended. Only ever inserted and
-- deleted, so that no two transactions wait for each other here.
create table runlog.gate_calls (
    id bigint generated always as identity primary key,
    gate uuid not null,
    at timestamptz not null
);

create index gate_calls_at on runlog.gate_calls (at);

-- Fires before runs_place_in_queue, by its name: what stands at a gate is in no queue.
create function runlog.stand_at_gate() returns trigger language plpgsql as $$
begin
    new.gate := encode(substring(sha256(convert_to(
        new.namespace || e'\x1f' || new.workflow || e'\x1f' || new.limit_key, 'UTF8')) for 16), 'hex')::uuid;
    new.gate_at := new.wake_at;
    new.order_at := new.wake_at - new.priority * interval '1 minute';
    new.wake_at := null;
    insert into runlog.gate_calls (gate, at) values (new.gate, new.gate_at);
    return new;
end
$$;

create trigger runs_gate_births before insert on runlog.runs
    for each row when (new.status = 'QUEUED' and new.limit_key is not null and new.wake_at is not null)
    execute function runlog.stand_at_gate();

-- Somebody had taken it for a message, or wants it taken for one.
create function runlog.return_to_gate() returns trigger language plpgsql as $$
begin
    new.wake_at := null;
    insert into runlog.gate_calls (gate, at) values (new.gate, greatest(new.gate_at, clock_timestamp()));
    return new;
end
$$;

create trigger runs_gate_returns before update on runlog.runs
    for each row when (new.gate_at is not null and new.wake_at is not null)
    execute function runlog.return_to_gate();

create function runlog.leave_gate() returns trigger language plpgsql as $$
begin
    if old.gate_at is null then
        insert into runlog.gate_calls (gate, at) values (new.gate, clock_timestamp());
    end if;
    new.gate_at := null;
    return new;
end
$$;

create trigger runs_gate_ends before update of status on runlog.runs
    for each row when (
        old.gate is not null and old.status in ('QUEUED', 'RUNNING') and new.status not in ('QUEUED', 'RUNNING')
    )
    execute function runlog.leave_gate();

-- Answers at most `calls_max` calls: lets as many runs in at each gate as it has free slots. Returns how many it answered.
-- A gate is looked at by one transaction at a time. What that counts, it reads in a statement that begins after it has the
-- lock: others that were let in are committed by then, and who ends meanwhile only leaves a slot free, and another call.
create function runlog.let_in(calls_max int) returns int language plpgsql as $$
declare
    called uuid[];
    calls int;
begin
    with call as materialized (
        select id from runlog.gate_calls where at <= clock_timestamp() order by at limit calls_max for update skip locked
    ),
    answered as (
        delete from runlog.gate_calls c using call where c.id = call.id returning c.gate
    )
    select array_agg(distinct gate order by gate), count(*) into called, calls from answered;
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
    first as materialized (
        select g.id, free.policy
        from free
        cross join lateral (
            select g.id
            from runlog.runs g
            where g.gate = free.gate and g.gate_at <= clock_timestamp() and g.owner is null and not g.gives_way
            order by g.order_at, g.id
            limit greatest(free.slots, 0)
        ) g
    ),
    -- In the order of their ids, as appends lock whom they send mail to.
    locked as materialized (
        select r.id, first.policy
        from runlog.runs r join first on first.id = r.id
        where r.gate_at is not null and r.owner is null
        order by r.id
        for no key update of r
    )
    update runlog.runs r
    set gate_at = null, wake_at = greatest(r.gate_at, r.created_at),
        order_at = case
            when locked.policy = 'round_robin' then clock_timestamp() - r.priority * interval '1 minute'
            else r.order_at
        end
    from locked
    where r.id = locked.id;
    perform runlog.give_way(called);
    return calls;
end
$$;

-- Cancels by the policy of their limit, once a run: those that found no slot, or as many of those that were let in first.
create function runlog.give_way(called uuid[]) returns void language sql as $$
    with full_gates as materialized (
        select c.gate, l.name, l.slots, l.policy, g.limit_key
        from unnest(called) as c (gate)
        cross join lateral (
            select g.workflow, g.limit_key from runlog.runs g where g.gate = c.gate and g.gate_at is not null limit 1
        ) g
        join runlog.limits l on l.workflow = g.workflow and l.policy in ('cancel_oldest', 'cancel_newest')
    ),
    chosen as materialized (
        select g.id, f.name, f.slots, f.limit_key, 'all of which are taken' as why
        from full_gates f
        join runlog.runs g on g.gate = f.gate and g.gate_at <= clock_timestamp()
        where f.policy = 'cancel_newest' and not g.gives_way
        union all
        select o.id, f.name, f.slots, f.limit_key, 'and a newer run needs one'
        from full_gates f
        cross join lateral (
            select o.id, o.gives_way
            from runlog.runs o
            where o.gate = f.gate and o.gate_at is null and o.status in ('QUEUED', 'RUNNING')
            -- Who was told before makes room for one of those that wait.
            order by o.gives_way desc, o.id
            limit (
                select count(*)
                from runlog.runs g
                where g.gate = f.gate and g.gate_at <= clock_timestamp() and not g.gives_way
            )
        ) o
        where f.policy = 'cancel_oldest' and not o.gives_way
    ),
    locked as materialized (
        select r.id, chosen.name, chosen.slots, chosen.limit_key, chosen.why
        from runlog.runs r join chosen on chosen.id = r.id
        where r.status in ('QUEUED', 'RUNNING') and not r.gives_way
        order by r.id
        for no key update of r
    ),
    told as (
        insert into runlog.inbox (run_id, body, sent_at)
        select id,
               json_build_object('cancel', json_build_object(
                   'reason', format('limit `%s`%s has %s slots, %s', name,
                                    case when limit_key <> '' then format(' of key `%s`', limit_key) else '' end, slots, why),
                   'by', format('limit `%s`', name),
                   'grace_ms', 5000
               ))::text,
               clock_timestamp()
        from locked
    )
    update runlog.runs r set mail = r.mail + 1, gives_way = true from locked where r.id = locked.id
$$;
