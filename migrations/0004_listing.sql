-- What runs are listed and found by. The previous release works on: it leaves the new columns null, and its runs are
-- found by everything but them. See docs/decisions/0014-what-a-list-costs.md for who pays for each index.

alter table runlog.runs
    -- What started it, as Trigger::kind; the trigger event's id; its key, or the schedule's name.
    add column trigger text,
    add column trigger_id text,
    add column trigger_key text,
    add column replay_of uuid,
    -- The node that ended it.
    add column node int,
    -- Why it ended, of a FAILED or TIMED_OUT one. The message is cut; the whole of it is in the log.
    add column failed_task text,
    add column error_kind text,
    add column error_message text,
    add column error_location text,
    add column fingerprint text,
    -- The run below it that failed first.
    add column caused_by uuid;

-- Every run pays for this one, at its birth and at every change of its row.
create index runs_workflow on runlog.runs (namespace, workflow, id);
-- Every run pays at its birth, and once more unless it succeeds. A list of the successful ones reads the newest runs.
create index runs_status on runlog.runs (namespace, status, id) where status <> 'SUCCEEDED';
-- Runs that failed pay, once.
create index runs_failed on runlog.runs (namespace, workflow, id) where status in ('FAILED', 'TIMED_OUT');
create index runs_fingerprint on runlog.runs (namespace, fingerprint text_pattern_ops, id) where fingerprint is not null;
-- Runs that took long pay, once.
create index runs_slow on runlog.runs (namespace, id) where finished_at - started_at >= interval '10 seconds';
-- Tenants pay; nobody else is in a namespace.
create index runs_tenant on runlog.runs (namespace, id) where namespace <> 'default';
-- Runs with metadata pay. Not by a list of pending entries, whose clean-up would hold up one unlucky commit.
create index runs_metadata on runlog.runs using gin (metadata jsonb_path_ops)
    with (fastupdate = off) where metadata is not null;
-- Runs of trigger events and schedules pay. A hash, for an event's id may be longer than a B-tree takes.
create index runs_trigger_id on runlog.runs using hash (trigger_id) where trigger_id is not null;
create index runs_trigger_key on runlog.runs (namespace, trigger_key text_pattern_ops, id)
    where trigger_key is not null;
-- Replays pay.
create index runs_replay_of on runlog.runs (replay_of, id) where replay_of is not null;

-- Keys are found with and without their workflow, and by their beginning: one index instead of the one before.
create unique index runs_keyed on runlog.runs (namespace, key text_pattern_ops, workflow) where key is not null;
drop index runlog.runs_key;

-- The tasks of every version that was ever registered: what `task:` means. Never deleted.
create table runlog.workflow_tasks (
    task text not null,
    workflow text not null,
    version text not null,
    primary key (task, workflow, version)
);
