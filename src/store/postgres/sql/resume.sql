-- Ends a workflow's pause in a namespace.
-- binds: workflow, namespace
-- index: pauses_pkey
delete from runlog.pauses where workflow = $1 and namespace = $2
