-- A process without a workflow's code starts its runs by name: what the definition says of time must be known.
-- The previous release works on: it leaves both null.
alter table runlog.workflows add column timeout_ms bigint, add column start_timeout_ms bigint;
