-- Who may use the interface where no embedder decides, what was done through it, and what must not be done twice. The
-- previous release works on: it writes and reads none of this.

-- A token itself is kept by nobody: whoever reads this table can use none of them.
create table runlog.tokens (
    id bigint generated always as identity primary key,
    name text not null,
    -- The token's first characters, by which it is found and by which a person knows it.
    prefix text not null unique,
    -- SHA-256 of the whole token.
    hash bytea not null,
    actions text[] not null,
    -- Null: every namespace.
    namespace text,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz,
    revoked_at timestamptz,
    -- To the minute: a busy token is not written at every request.
    used_at timestamptz
);

create unique index tokens_name on runlog.tokens (name) where revoked_at is null;

-- What was done, and what was tried, through the interface.
create table runlog.audit (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    who text not null,
    action text not null,
    -- Of the caller; null when that is bound to none.
    namespace text,
    run_id uuid,
    -- What else it was done to, such as the path.
    target text not null,
    reason text,
    -- `ok`, or the problem's code.
    outcome text not null,
    request_id text not null
);

create index audit_run on runlog.audit (run_id, id) where run_id is not null;
create index audit_namespace on runlog.audit (namespace, id);

-- Requests that carry an Idempotency-Key, for a day.
create table runlog.idempotency (
    -- Whose key it is.
    scope text not null,
    key text not null,
    -- SHA-256 of the method, the path and the body.
    request bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    -- Until when it counts as under way; after that its process is dead, and the request may be tried again.
    busy_until timestamptz not null,
    -- The answer; null while it is under way.
    status smallint,
    location text,
    body text,
    primary key (scope, key)
);

create index idempotency_age on runlog.idempotency (created_at);
