-- Everything the engine keeps. Forward only; every later migration must work with this release still running.

-- The words of Status::as_str, in the order of a run's life.
create type runlog.run_status as enum ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'TIMED_OUT');

-- One row per incarnation of a process.
create table runlog.nodes (
    id int generated always as identity primary key,
    name text not null,
    pid bigint not null,
    release text not null,
    joined_at timestamptz not null default clock_timestamp(),
    left_at timestamptz
);

-- The fence rows: who writes locks its row `for share`, who declares a node dead updates it.
-- Lanes from 0 are the node's appends; lane -1 is its claims, so that no two sessions share one lock.
-- Updated at every heartbeat, hence the room for HOT updates.
create table runlog.leases (
    node int not null,
    lane smallint not null,
    lease_until timestamptz not null,
    dead boolean not null default false,
    primary key (node, lane)
) with (fillfactor = 20);

create table runlog.runs (
    id uuid primary key,
    namespace text not null,
    workflow text not null,
    version text not null,
    key text,
    status runlog.run_status not null,
    priority smallint not null,
    owner int,
    wake_at timestamptz,
    deadline_at timestamptz,
    created_at timestamptz not null,
    started_at timestamptz,
    finished_at timestamptz,
    claimed_at timestamptz,
    claims int not null default 0,
    -- How many messages were ever sent to it.
    mail int not null default 0,
    parent uuid,
    -- Null when there is none.
    metadata jsonb,
    constraint runs_due_is_unowned check (owner is null or wake_at is null),
    constraint runs_ended_is_let_go check (
        status in ('QUEUED', 'RUNNING') or (owner is null and wake_at is null and deadline_at is null)
    )
) with (fillfactor = 70);

create unique index runs_key on runlog.runs (namespace, workflow, key) where key is not null;
create index runs_dispatch on runlog.runs (workflow, version, wake_at) where wake_at is not null;
create index runs_owner on runlog.runs (owner) where owner is not null;
create index runs_parent on runlog.runs (parent) where parent is not null;
create index runs_deadline on runlog.runs (deadline_at) where owner is null and deadline_at is not null;
-- Parked until a message comes: with runs_dispatch and runs_owner, every live run is in one of the three.
create index runs_parked on runlog.runs (workflow, version)
    where status = 'RUNNING' and owner is null and wake_at is null;

-- The table of Status::may_become.
create function runlog.refuse_status() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        raise exception 'run % cannot be created as %', new.id, new.status
            using errcode = 'check_violation', hint = 'a run is created as QUEUED or RUNNING';
    end if;
    raise exception 'run % cannot move from % to %', old.id, old.status, new.status
        using errcode = 'check_violation',
              hint = 'QUEUED may become RUNNING, FAILED, CANCELLED or TIMED_OUT; RUNNING may end; nothing leaves an end';
end
$$;

create trigger runs_status_births before insert on runlog.runs
    for each row when (new.status not in ('QUEUED', 'RUNNING'))
    execute function runlog.refuse_status();

create trigger runs_status_moves before update of status on runlog.runs
    for each row when (
        old.status is distinct from new.status
        and not (old.status = 'QUEUED' and new.status in ('RUNNING', 'FAILED', 'CANCELLED', 'TIMED_OUT'))
        and not (old.status = 'RUNNING' and new.status in ('SUCCEEDED', 'FAILED', 'CANCELLED', 'TIMED_OUT'))
    )
    execute function runlog.refuse_status();

-- The log. Payloads are text: what a user gave comes back byte for byte.
create table runlog.events (
    run_id uuid not null,
    seq int not null,
    kind text not null,
    schema_version smallint not null,
    time timestamptz not null,
    node int,
    task text,
    attempt int,
    payload text not null,
    primary key (run_id, seq)
) partition by range (run_id);

create function runlog.refuse_log_change() returns trigger language plpgsql as $$
begin
    if current_setting('runlog.retention', true) is distinct from 'on' then
        raise exception '% of %.% is refused: a log is never changed', tg_op, tg_table_schema, tg_table_name
            using errcode = 'restrict_violation', hint = 'only retention removes logs';
    end if;
    return null;
end
$$;

-- Statement-level triggers are not inherited by partitions: each gets its own.
create function runlog.protect_log(log regclass) returns void language plpgsql as $$
begin
    execute format(
        'create trigger log_is_append_only before update or delete or truncate on %s '
        'for each statement execute function runlog.refuse_log_change()', log);
end
$$;

create table runlog.events_default partition of runlog.events default;
select runlog.protect_log('runlog.events'), runlog.protect_log('runlog.events_default');

-- Makes the log's partitions from the previous month to `months_ahead` months from now; cheap when they exist.
-- A run's id begins with its creation in milliseconds, so a month of runs is a range of ids.
create function runlog.ensure_partitions(months_ahead int) returns void language plpgsql as $$
declare
    month_start timestamptz;
    bounds text[];
    partition text;
begin
    for ahead in -1 .. months_ahead loop
        month_start := (date_trunc('month', now() at time zone 'utc') + make_interval(months => ahead)) at time zone 'utc';
        partition := 'events_y' || to_char(month_start at time zone 'utc', 'YYYY"m"MM');
        continue when to_regclass('runlog.' || partition) is not null;
        -- 'runlog' as a number: one maker at a time, until its transaction ends.
        perform pg_advisory_xact_lock(x'72756e6c6f67'::bigint);
        continue when to_regclass('runlog.' || partition) is not null;
        select array_agg(
            overlay(lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') placing '-' from 9 for 0)
            || '-0000-0000-000000000000' order by at)
        into bounds
        from (values (month_start), ((month_start at time zone 'utc' + interval '1 month') at time zone 'utc')) v (at);
        -- Made aside and attached: appends to the other partitions go on meanwhile.
        begin
            execute format('create table runlog.%I (like runlog.events including all)', partition);
            execute format('alter table runlog.events attach partition runlog.%I for values from (%L) to (%L)',
                partition, bounds[1], bounds[2]);
            perform runlog.protect_log(format('runlog.%I', partition)::regclass);
        exception when check_violation then
            raise warning 'runlog.% cannot be made: runlog.events_default holds runs of that month', partition;
        end;
    end loop;
end
$$;

select runlog.ensure_partitions(2);

-- What was sent to a run and is not in its log yet.
create table runlog.inbox (
    id bigint generated always as identity primary key,
    run_id uuid not null,
    body text not null,
    sent_at timestamptz not null
);

create index inbox_run on runlog.inbox (run_id, id);

-- A cache: what cannot be read is ignored.
create table runlog.snapshots (
    run_id uuid primary key,
    seq int not null,
    format smallint not null,
    bytes bytea not null
);

-- The shape that live runs of a workflow's version started with.
create table runlog.workflows (
    name text not null,
    version text not null,
    shape text not null,
    registered_at timestamptz not null,
    primary key (name, version)
);
