-- Removes a retention policy; never that of everything.
-- binds: namespace, workflow (empty = all of them)
-- index: retention_pkey
delete from runlog.retention where namespace = $1 and workflow = $2 and (namespace, workflow) <> ('', '')
