-- Declares dead, on all its lanes, every node whose lease has expired on any, or is of a lost history; waits for its
-- commits in flight.
-- binds: none
-- index: none (a row per node and lane)
with suspects as materialized (
    select distinct node from runlog.leases where not dead and (lease_until < clock_timestamp() or timeline <> runlog.timeline())
),
-- Read again under the lock: a heartbeat that was quicker saves its node.
locked as materialized (
    select node, lease_until < clock_timestamp() or timeline <> runlog.timeline() as expired
    from runlog.leases
    where node in (select node from suspects) and not dead
    order by node, lane
    for no key update
),
unserved as (
    delete from runlog.served where node in (select node from locked where expired)
)
update runlog.leases
set dead = true
where not dead and node in (select node from locked where expired)
returning node
