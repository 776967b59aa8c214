-- Counts the living nodes that serve a workflow's version, and those of them that have no free slot.
-- binds: workflow, version
-- index: served_pkey, nodes_pkey, leases_pkey, runs_owner
select clock_timestamp() as "now!", count(*) as "nodes!",
       count(*) filter (where held.runs >= coalesce(n.slots, 2147483647) or held.of_workflow >= s.slots) as "full!"
from runlog.served s
join runlog.nodes n on n.id = s.node
join runlog.leases l on l.node = s.node and l.lane = -1 and not l.dead and l.lease_until > clock_timestamp()
cross join lateral (
    select count(*) as runs, count(*) filter (where r.workflow = s.workflow) as of_workflow
    from runlog.runs r
    where r.owner = s.node
) held
where s.workflow = $1 and s.version = $2
