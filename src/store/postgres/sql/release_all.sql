-- Releases all runs of one node, due at once; must follow the end of its lease as a statement of its own.
-- binds: node, the fence's token
-- index: runs_owner, leases_pkey
update runlog.runs set owner = null, claimed_at = null, wake_at = clock_timestamp()
where owner = $1 and exists (select from runlog.leases where node = $1 and token = $2)
