-- Puts a run of another database into the archive, with its log; says whether its id was free.
-- binds: id, namespace, workflow, version, key, status, priority, created_at, started_at, finished_at, claims, parent,
-- metadata, events; parts of its log: first seq, last seq, lines; again: trigger, trigger_id, trigger_key, replay_of, node,
-- failed_task, error_kind, error_message, error_location, fingerprint, caused_by
-- index: archived_runs_pkey, runs_pkey, archived_parts_pkey
with part as materialized (
    select * from unnest($15::int[], $16::int[], $17::text[]) as p (first_seq, last_seq, log)
),
imported as (
    insert into runlog.archived_runs (id, namespace, workflow, version, key, status, priority, created_at, started_at,
                                      finished_at, claims, mail, parent, metadata, trigger, trigger_id, trigger_key, replay_of, node, failed_task, error_kind, error_message,
                                      error_location, fingerprint, caused_by, imported, events, log)
    select $1, $2, $3, $4, $5, $6::text::runlog.run_status, $7, $8, $9, $10, $11, 0, $12, $13::text::jsonb, $18, $19, $20,
           $21, $22, $23, $24, $25, $26, $27, $28, true, $14,
           rpad(p.log, greatest(length(p.log), 2048))
    from part p
    where p.first_seq = 1 and not exists (select from runlog.runs r where r.id = $1)
    on conflict do nothing
    returning id
),
rest as (
    insert into runlog.archived_parts (run_id, first_seq, last_seq, log)
    select i.id, p.first_seq, p.last_seq, p.log from imported i cross join part p where p.first_seq > 1
)
select exists (select from imported) as "imported!"
