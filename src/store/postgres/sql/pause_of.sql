-- Finds the pause of a workflow in a namespace.
-- binds: workflow, namespace
-- index: pauses_pkey
select workflow, namespace, since, who, reason from runlog.pauses where workflow = $1 and namespace = $2
