-- Trigger events: messages that start runs of whoever subscribed to their key. The previous release works on: it knows none.

create table runlog.subscriptions (
    id bigint generated always as identity primary key,
    namespace text not null,
    name text not null,
    -- Of the events that it is about.
    key text not null,
    -- Which of them: an expression of the Common Expression Language; null = all.
    filter text,
    -- What each of them starts.
    workflow text not null,
    metadata jsonb not null default '{}',
    priority smallint not null default 0,
    -- Whether code declares it.
    declared boolean not null default false,
    created_at timestamptz not null default clock_timestamp(),
    created_by text,
    unique (namespace, name)
);

create index subscriptions_key on runlog.subscriptions (namespace, key, name);

-- Every event that was pushed, and what came of it. Kept for 30 days: for as long its id stands for it.
create table runlog.trigger_events (
    namespace text not null,
    id text not null,
    key text not null,
    -- As the text that it is.
    payload text not null,
    metadata jsonb not null default '{}',
    pushed_at timestamptz not null default clock_timestamp(),
    pushed_by text,
    -- One for each subscription: its name, its workflow, and the run that it started or why it started none.
    outcomes text not null,
    primary key (namespace, id)
);

create index trigger_events_pushed on runlog.trigger_events (namespace, pushed_at desc, id);
create index trigger_events_key on runlog.trigger_events (namespace, key, pushed_at desc, id);
create index trigger_events_old on runlog.trigger_events (pushed_at);
