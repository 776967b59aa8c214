-- Declares dead, on all its lanes, every node whose lease has expired on any; waits for its commits in flight.
-- binds: none
-- index: none (a row per node and lane)
with suspects as materialized (
    select distinct node from runlog.leases where not dead and lease_until < clock_timestamp()
),
-- Read again under the lock: a heartbeat that was quicker saves its node.
locked as materialized (
    select node, not dead and lease_until < clock_timestamp() as expired
    from runlog.leases
    where node in (select node from suspects) and not dead
    order by node, lane
    for no key update
)
update runlog.leases
set dead = true
where not dead and node in (select node from locked where expired)
returning node
