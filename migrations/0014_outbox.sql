-- The outbox: what was committed and is not exported yet. The previous release works on: its nodes fill no outbox, which
-- the exporter notices by runlog.nodes. See docs/decisions/0028-the-exporters-cursor.md.

-- One row a commit that wrote events, while somebody exports; deleted when they are. That a row is there is the only thing
-- that says that it is to be exported.
create table runlog.outbox (
    -- The transaction that wrote it: a snapshot tells which ones a reader cannot have seen yet.
    xid xid8 not null default pg_current_xact_id(),
    id bigint generated always as identity,
    at timestamptz not null,
    -- The events, run by run.
    runs uuid[] not null,
    seqs int[] not null,
    primary key (xid, id)
) with (toast_tuple_target = 8160);

-- Nothing to compress in it; up to a page it stays in its row.
alter table runlog.outbox alter column runs set storage external, alter column seqs set storage external;

-- Until when commits leave a row in the outbox; null = never. Every append reads it, hence a table of its own, which is
-- written a few times an hour.
create table runlog.outbox_open (
    one boolean primary key default true check (one),
    until timestamptz
);

insert into runlog.outbox_open default values;

-- The one exporter that there may be at a time, and what it has to look through besides the outbox.
create table runlog.exporter (
    one boolean primary key default true check (one),
    -- Who it is, and until when without a word of it.
    holder bigint,
    held_by text,
    held_until timestamptz,
    -- Runs that live, or ended since then, may have events that left no row in the outbox; null = none has.
    sweep_since timestamptz,
    -- The run up to which they were looked through.
    sweep_after uuid,
    -- The transactions whose ends are awaited first; null = not asked yet.
    sweep_waits text[],
    -- When it was last made sure that no node of the release before lives, up to which node, and whether one did since.
    checked_at timestamptz,
    checked_node int not null default 0,
    silent boolean not null default false,
    -- Spans that were ever refused.
    refused bigint not null default 0
) with (fillfactor = 20);

insert into runlog.exporter default values;

-- Whether the node's commits fill the outbox; false for a node of the release before.
alter table runlog.nodes add column fills_outbox boolean not null default false;

-- What a backend refused for good, the last of it.
create table runlog.refused_spans (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    run_id uuid not null,
    -- In hex; null where the run itself cannot be exported.
    trace_id text,
    span_id text,
    name text not null,
    reason text not null
);
