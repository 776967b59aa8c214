-- Registers a node with a lease on each lane, and one for its claims (lane -1).
-- binds: name, pid, release, lanes, lease
-- index: none
with node as (
    insert into runlog.nodes (name, pid, release) values ($1, $2, $3) returning id, joined_at
),
lanes as (
    insert into runlog.leases (node, lane, lease_until)
    select node.id, lane.n, node.joined_at + $5::interval
    from node cross join generate_series(-1, $4::int - 1) as lane (n)
)
select id, joined_at from node
