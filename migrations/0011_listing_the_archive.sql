-- Lists, counts and groups of failures find archived runs as well, by the indexes that runlog.runs has for them (see
-- docs/decisions/0014-what-a-list-costs.md). Whoever archives a run pays for them, once; nothing at work does. The previous
-- release works on: it lists what is not archived. While an index is made, no run is archived.

create index archived_runs_workflow on runlog.archived_runs (namespace, workflow, id);
create index archived_runs_status on runlog.archived_runs (namespace, status, id) where status <> 'SUCCEEDED';
create index archived_runs_failed on runlog.archived_runs (namespace, workflow, id) where status in ('FAILED', 'TIMED_OUT');
create index archived_runs_fingerprint on runlog.archived_runs (namespace, fingerprint text_pattern_ops, id)
    where fingerprint is not null;
create index archived_runs_slow on runlog.archived_runs (namespace, id)
    where finished_at - started_at >= interval '10 seconds';
create index archived_runs_tenant on runlog.archived_runs (namespace, id) where namespace <> 'default';
-- Not by a list of pending entries, which every reader would walk.
create index archived_runs_metadata on runlog.archived_runs using gin (metadata jsonb_path_ops)
    with (fastupdate = off) where metadata is not null;
create index archived_runs_trigger_id on runlog.archived_runs using hash (trigger_id) where trigger_id is not null;
create index archived_runs_trigger_key on runlog.archived_runs (namespace, trigger_key text_pattern_ops, id)
    where trigger_key is not null;

-- Keys are found with and without their workflow, by their beginning, and imported ones. Made beside the one before it,
-- which stands in no start's way for longer than it takes to drop.
create index archived_runs_keyed on runlog.archived_runs (namespace, key text_pattern_ops, workflow) where key is not null;
drop index runlog.archived_runs_key;
alter index runlog.archived_runs_keyed rename to archived_runs_key;
