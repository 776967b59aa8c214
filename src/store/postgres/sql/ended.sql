-- Says which of some runs have ended.
-- binds: runs
-- index: runs_pkey, archived_runs_pkey
select id as "id!" from runlog.runs where id = any($1::uuid[]) and status not in ('QUEUED', 'RUNNING')
union all
select id from runlog.archived_runs where id = any($1::uuid[])
