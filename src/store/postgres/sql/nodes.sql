-- Lists nodes: those that live, then those that ended, the newest first.
-- binds: rows at most
-- index: nodes_pkey, leases_pkey, runs_owner
select n.id, n.name, n.pid, n.release, n.slots, n.joined_at, n.left_at, l.lease_until as "lease_until?",
       l.alive as "alive!", clock_timestamp() as "now!",
       (select count(*) from runlog.runs r where r.owner = n.id) as "runs!"
from runlog.nodes n
cross join lateral (
    select min(l.lease_until) as lease_until,
           coalesce(bool_and(not l.dead and l.lease_until > clock_timestamp()), false) as alive
    from runlog.leases l
    where l.node = n.id
) l
order by l.alive desc, n.id desc
limit $1
