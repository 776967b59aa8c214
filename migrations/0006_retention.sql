-- Retention: a run that ended long ago becomes one compact row, and a month of the log is dropped when all in it did.
-- The previous release works on: it does not find archived runs, and starts the key of one anew.

-- How long ended runs are kept, counted from their end; null = for ever. The most specific row counts: namespace and workflow
-- first, then the namespace, then the workflow. An empty text stands for all of them.
create table runlog.retention (
    namespace text not null,
    workflow text not null,
    archive_after interval,
    delete_after interval,
    set_at timestamptz not null default clock_timestamp(),
    primary key (namespace, workflow),
    constraint retention_archives_first check (delete_after is null or archive_after <= delete_after)
);

insert into runlog.retention (namespace, workflow, archive_after) values ('', '', interval '30 days');

-- The one pass that there may be at a time, and what the last one came to.
create table runlog.retention_pass (
    one boolean primary key default true check (one),
    -- Who is at it, until when without a word of it, and since when.
    holder bigint,
    held_by text,
    held_until timestamptz,
    begun_at timestamptz,
    ended_at timestamptz,
    next_at timestamptz not null,
    -- How many passes failed since the last one that did not, and what the last of them said.
    failures int not null default 0,
    failed_at timestamptz,
    error text,
    -- What the last pass did.
    archived bigint not null default 0,
    deleted bigint not null default 0,
    months text[] not null default '{}',
    -- What all of them did.
    archived_ever bigint not null default 0,
    deleted_ever bigint not null default 0
) with (fillfactor = 20);

insert into runlog.retention_pass (next_at) values (clock_timestamp() + interval '5 minutes');

-- One row per archived run: what lists show of it, and its log.
create table runlog.archived_runs (
    id uuid primary key,
    namespace text not null,
    workflow text not null,
    version text not null,
    key text,
    status runlog.run_status not null,
    priority smallint not null,
    created_at timestamptz not null,
    started_at timestamptz,
    finished_at timestamptz not null,
    claims int not null,
    mail int not null,
    parent uuid,
    metadata jsonb,
    trigger text,
    trigger_id text,
    trigger_key text,
    replay_of uuid,
    node int,
    failed_task text,
    error_kind text,
    error_message text,
    error_location text,
    fingerprint text,
    caused_by uuid,
    archived_at timestamptz not null default clock_timestamp(),
    -- It came from another database, by `import`.
    imported boolean not null default false,
    events int not null,
    -- A JSON object a line, one for each event, padded with blanks: a short row would not be compressed at all.
    log text not null,
    constraint archived_runs_ended check (status not in ('QUEUED', 'RUNNING'))
);

-- Compressed, and in the row as long as that fits a page.
alter table runlog.archived_runs alter column log set storage main;

create index archived_runs_key on runlog.archived_runs (namespace, workflow, key) where key is not null and not imported;
create index archived_runs_parent on runlog.archived_runs (parent) where parent is not null;
create index archived_runs_replay_of on runlog.archived_runs (replay_of, id) where replay_of is not null;

-- The rest of a log that is too long for one value.
create table runlog.archived_parts (
    run_id uuid not null,
    first_seq int not null,
    last_seq int not null,
    log text not null,
    primary key (run_id, first_seq)
);

-- lz4 unpacks faster; a server that was built without it has its own.
do $$
begin
    alter table runlog.archived_runs alter column log set compression lz4;
    alter table runlog.archived_parts alter column log set compression lz4;
exception when feature_not_supported then
    null;
end
$$;

-- A key stays taken when its run is archived. Who starts a run looks for archived ones in the same statement, whose
-- snapshot may be older than an archiving that commits meanwhile and frees the key: this has a later one, and lets the
-- statement be repeated. It costs a run with a key one more look, others nothing.
create function runlog.refuse_archived_key() returns trigger language plpgsql as $$
begin
    if exists (
        select from runlog.archived_runs a
        where a.namespace = new.namespace and a.workflow = new.workflow and a.key = new.key and not a.imported
    ) then
        raise exception 'the run with the key of run % was archived a moment ago', new.id
            using errcode = 'serialization_failure', hint = 'try again';
    end if;
    return null;
end
$$;

create trigger runs_key_is_not_archived after insert on runlog.runs
    for each row when (new.key is not null)
    execute function runlog.refuse_archived_key();

-- The first id that a run may have which is created at an instant.
create function runlog.first_id(at timestamptz) returns uuid immutable language sql as $$
    select (
        overlay(lpad(to_hex(greatest((extract(epoch from at) * 1000)::bigint, 0)), 12, '0') placing '-' from 9 for 0)
        || '-0000-0000-000000000000'
    )::uuid
$$;

-- The months of the log whose runs were all created before an instant, the oldest first.
create function runlog.months_before(before timestamptz)
returns table (partition text, first_run uuid, next_run uuid) stable language sql as $$
    select c.relname::text, runlog.first_id(m.begins), runlog.first_id(m.ends)
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    cross join lateral (select to_date(substr(c.relname, 9), 'YYYY"m"MM')::timestamp as begins) b
    cross join lateral (
        select b.begins at time zone 'utc' as begins, (b.begins + interval '1 month') at time zone 'utc' as ends
    ) m
    where i.inhparent = 'runlog.events'::regclass and c.relname ~ '^events_y\d{4}m\d{2}$' and m.ends <= before
    order by c.relname
$$;

-- Drops the oldest month of the log that ended before `before` and of whose runs at most `events_max` events are not in the
-- archive; those go to runlog.events_default first. Returns its name, null when there is none. While it works, nothing is
-- appended; it gives up when it does not get its turn within `patience`.
create function runlog.retire_month(before timestamptz, events_max int, patience interval)
returns text language plpgsql as $$
declare
    month record;
    stragglers uuid[];
begin
    for month in select * from runlog.months_before(before) loop
        with straggler as (
            select r.id, coalesce(last.seq, 0) as seq
            from (
                select id from runlog.runs where id >= month.first_run and id < month.next_run
                order by id limit events_max + 1
            ) r
            left join lateral (
                select e.seq from runlog.events e where e.run_id = r.id order by e.seq desc limit 1
            ) last on true
        )
        select coalesce(array_agg(id), '{}') into stragglers from straggler having coalesce(sum(seq), 0) <= events_max;
        continue when not found;
        perform set_config('lock_timeout', extract(milliseconds from patience)::int || 'ms', true);
        -- In the order of an append: first the whole log, then its parts.
        lock table only runlog.events in access exclusive mode;
        execute format('alter table runlog.events detach partition runlog.%I', month.partition);
        execute format(
            'insert into runlog.events select e.* from unnest($1) s (run_id) '
            'cross join lateral (select * from runlog.%I l where l.run_id = s.run_id) e', month.partition)
            using stragglers;
        execute format('drop table runlog.%I', month.partition);
        return month.partition;
    end loop;
    return null;
end
$$;
