-- Renews a node's lease on all its lanes or on none; never an expired one. No row: the node is fenced.
-- Waits for the node's own commits in flight, and they for it.
-- binds: node, lease, the fence's token
-- index: leases_pkey
with mine as materialized (
    select lane, not dead and lease_until > clock_timestamp()
           and token = $3 and timeline = runlog.timeline() as alive
    from runlog.leases
    where node = $1
    order by lane
    for no key update
),
renewal as materialized (
    select clock_timestamp() as now from mine having bool_and(alive)
),
renewed as (
    update runlog.leases l set lease_until = renewal.now + $2::interval
    from renewal
    where l.node = $1
)
select now as "now!" from renewal
