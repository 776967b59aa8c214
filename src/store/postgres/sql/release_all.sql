-- Releases all runs of one node, due at once; must follow the end of its lease as a statement of its own.
-- binds: node
-- index: runs_owner
update runlog.runs set owner = null, claimed_at = null, wake_at = clock_timestamp() where owner = $1
