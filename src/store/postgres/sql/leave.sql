-- Ends a node's lease for good; waits for its commits in flight.
-- binds: node, the fence's token
-- index: leases_pkey, nodes_pkey, served_pkey
with over as (
    update runlog.leases set dead = true where node = $1 and token = $2 and not dead
),
unserved as (
    delete from runlog.served where node = $1
)
update runlog.nodes set left_at = clock_timestamp() where id = $1 and left_at is null
