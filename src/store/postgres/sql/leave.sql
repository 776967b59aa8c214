-- Ends a node's lease for good; waits for its commits in flight.
-- binds: node
-- index: leases_pkey, nodes_pkey
with over as (
    update runlog.leases set dead = true where node = $1 and not dead
)
update runlog.nodes set left_at = clock_timestamp() where id = $1 and left_at is null
