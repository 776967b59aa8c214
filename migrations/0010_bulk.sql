-- Actions on many runs. The previous release works on: it knows none of this.

-- One action on many runs, carried out by whichever process has its lease.
create table runlog.bulk (
    id uuid primary key,
    who text not null,
    -- Of the caller; null when that is bound to none.
    namespace text,
    action text not null check (action in ('cancel', 'replay')),
    -- How, as JSON.
    options text not null,
    -- The filter that found its runs; null where they were named.
    query text,
    reason text,
    -- Runs a second.
    rate int,
    total int not null,
    done int not null default 0,
    refused int not null default 0,
    created_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    -- Who is at it, and until when that holds without another word.
    holder bigint,
    busy_until timestamptz
);

create index bulk_open on runlog.bulk (busy_until) where finished_at is null;

-- One row, and in the end one answer, for each of its runs.
create table runlog.bulk_items (
    bulk uuid not null,
    place int not null,
    run_id uuid not null,
    -- `ok`, or a problem's code; null until it is answered.
    outcome text,
    detail text,
    -- The run that replays it.
    new_run uuid,
    primary key (bulk, place)
);

create index bulk_items_open on runlog.bulk_items (bulk, place) where outcome is null;
