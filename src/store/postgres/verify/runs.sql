-- Counts the runs that are looked at.
-- binds: first run, last run
-- index: runs_pkey
select count(*) from runlog.runs where id between $1 and $2
