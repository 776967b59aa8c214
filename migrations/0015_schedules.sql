-- Schedules: what starts runs by the clock. The previous release works on: it fires none of them.

create table runlog.schedules (
    id bigint generated always as identity primary key,
    namespace text not null,
    name text not null,
    workflow text not null,
    -- Either an expression and its time zone, or one instant.
    cron text,
    zone text,
    once_at timestamptz,
    -- As the text that it is.
    input text not null,
    metadata jsonb not null default '{}',
    priority smallint not null default 0,
    -- skip, once, or all:N.
    misfire text not null,
    -- Whether code declares it.
    declared boolean not null default false,
    created_at timestamptz not null default clock_timestamp(),
    created_by text,
    updated_at timestamptz not null default clock_timestamp(),
    -- Changes with every change: who read another one writes nothing.
    revision int not null default 1,
    paused_at timestamptz,
    paused_by text,
    -- The next occurrence; null = none comes.
    next_at timestamptz,
    -- When to look at it: the next occurrence, later after a failure, never while it is paused.
    wake_at timestamptz,
    last_due timestamptz,
    last_run uuid,
    fired bigint not null default 0,
    -- Why the next occurrence could not be started, and how often in a row.
    failure text,
    failures int not null default 0,
    -- When its last occurrence was over.
    ended_at timestamptz,
    check ((cron is null) = (zone is null) and (cron is null) <> (once_at is null)),
    unique (namespace, name)
);

-- All that an idle node reads: the first entry.
create index schedules_wake on runlog.schedules (wake_at) where wake_at is not null;

create index schedules_ended on runlog.schedules (ended_at) where ended_at is not null;

-- Each occurrence that was started: nobody starts it again. Kept for a day; the schedule itself never goes back.
create table runlog.occurrences (
    schedule bigint not null references runlog.schedules on delete cascade,
    due timestamptz not null,
    run_id uuid not null,
    fired_at timestamptz not null default clock_timestamp(),
    primary key (schedule, due)
);
