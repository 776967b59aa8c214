-- Says whether a fenced node belongs to a history that this database does not have: it knows no such node, or its timeline is
-- another one.
-- binds: node, the fence's token
-- index: leases_pkey
select coalesce(bool_or(timeline is distinct from runlog.timeline()), true) as "lost!"
from runlog.leases
where node = $1 and token = $2
