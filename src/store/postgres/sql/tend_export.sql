-- Keeps the outbox open, and notes from when on the runs are to be looked through: since it closed, or since a
-- node of the release before wrote past it, when the last such node is gone. No row: the process is not the exporter.
-- What the outbox closes on within the margin may have closed on some commit: that counts as closed.
-- binds: the process's token, for how long it is open, when that is to be written anew, the margin
-- index: exporter_pkey, nodes_pkey; the leases have a row per node and lane
with it as materialized (
    select e.checked_at, e.checked_node, e.silent, o.until, clock_timestamp() as now
    from runlog.exporter e cross join runlog.outbox_open o
    where e.holder = $1 and e.held_until >= clock_timestamp()
    for update of e
),
nodes as materialized (
    select exists (
               select from runlog.leases l join runlog.nodes n on n.id = l.node where not l.dead and not n.fills_outbox
           ) as alive,
           exists (
               select from runlog.nodes n
               where n.id > (select it.checked_node from it) and not n.fills_outbox
                 and n.joined_at > (select it.checked_at from it)
           ) as came,
           (select coalesce(max(n.id), 0) from runlog.nodes n) as last
),
opened as (
    update runlog.outbox_open o
    set until = it.now + $2::interval
    from it
    where o.until is null or o.until < it.now + $3::interval
),
gap as materialized (
    select least(
               case when it.until is null or it.until < it.now + $4::interval
                    then coalesce(it.until, it.now) - $4::interval end,
               case when not nodes.alive and (it.silent or nodes.came) then it.checked_at - $4::interval end
           ) as since
    from it cross join nodes
)
update runlog.exporter e
set sweep_since = least(e.sweep_since, gap.since),
    sweep_after = case when gap.since is null then e.sweep_after end,
    sweep_waits = case when gap.since is null then e.sweep_waits end,
    checked_at = case when nodes.alive and e.checked_at is not null then e.checked_at else it.now end,
    checked_node = nodes.last,
    silent = nodes.alive
from it cross join nodes cross join gap
returning e.sweep_since is not null as "sweeps!"
