-- Signals by key: sent to every run of a namespace that waits for them; see docs/decisions/0036-signals-by-key.md.
-- The previous release works on: its code cannot wait for a key.

create sequence runlog.signal_ids;

-- Signals that were accepted. NEW: not every run that waits was told yet. KEPT: nobody waited, the first wait takes it.
-- TOLD: delivered; the row stays for a while, so that a sender that repeats itself is answered as the first time.
create table runlog.signals (
    id bigint primary key default nextval('runlog.signal_ids'),
    namespace text not null,
    -- The sender's own id for it.
    sent_as text not null,
    name text not null,
    key text not null,
    -- The message as it stands in an inbox; null once it is delivered.
    body text,
    -- What it was: a sender that repeats itself must say the same.
    body_hash bytea not null,
    state text not null default 'NEW' check (state in ('NEW', 'KEPT', 'TOLD')),
    -- How many runs got it.
    runs int not null default 0,
    sent_at timestamptz not null default clock_timestamp(),
    unique (namespace, sent_as),
    constraint signals_undelivered_have_a_body check (state = 'TOLD' or body is not null)
);

create index signals_open on runlog.signals (namespace, name, key, id) where state in ('NEW', 'KEPT');
create index signals_new on runlog.signals (id) where state = 'NEW';
create index signals_sent_at on runlog.signals (sent_at);

-- Which run got which signal: none twice.
create table runlog.signals_told (
    signal bigint not null,
    run_id uuid not null,
    primary key (signal, run_id)
);

-- How many more signals of a name and key a live run waits for than it has, its inbox included. Below zero: it has some
-- that no wait of its own took.
create table runlog.signal_waits (
    run_id uuid not null,
    namespace text not null,
    name text not null,
    key text not null,
    waits int not null,
    asked_at timestamptz not null,
    primary key (run_id, name, key)
);

create index signal_waits_open on runlog.signal_waits (namespace, name, key, run_id) where waits > 0;

-- A run that has ended waits for nothing. Its row is locked by whoever ends it; whoever tells it a signal locks it, too.
create function runlog.drop_signal_waits() returns trigger language plpgsql as $$
begin
    delete from runlog.signal_waits where run_id = new.id;
    return null;
end
$$;

create trigger runs_end_drops_signal_waits after update of status on runlog.runs
    for each row when (
        old.status in ('QUEUED', 'RUNNING') and new.status not in ('QUEUED', 'RUNNING')
    )
    execute function runlog.drop_signal_waits();
