-- Says whether a message waits, and clears the inbox of a run that has ended.
-- binds: run, message
-- index: runs_pkey, inbox_run
with ended as (
    select r.id from runlog.runs r where r.id = $1 and r.status not in ('QUEUED', 'RUNNING')
),
dropped as (
    delete from runlog.inbox i using ended where i.run_id = ended.id
)
select exists (select from runlog.inbox where run_id = $1 and id = $2) and not exists (select from ended) as "waits!"
