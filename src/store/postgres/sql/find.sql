-- Finds the run of a key.
-- binds: namespace, workflow, key
-- index: runs_keyed
select id from runlog.runs where namespace = $1 and workflow = $2 and key = $3
