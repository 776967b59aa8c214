-- Releases runs of nodes without a living lease, due at once; must follow rescue_nodes as a statement of its own.
-- The owners are found by jumping through the index: one step for each node that owns something.
-- binds: runs at most
-- A run that got no further since this node claimed it counts the death, unless the node lost nothing but the database, or the
-- run stands at its gate, where none of its code runs.
-- index: runs_owner, leases_pkey, events_pkey, nodes_pkey
with recursive owners as (
    select min(owner) as node from runlog.runs where owner is not null
    union all
    select (select min(r.owner) from runlog.runs r where r.owner > o.node) from owners o where o.node is not null
),
dead as materialized (
    select o.node
    from owners o
    where o.node is not null and not exists (select from runlog.leases l where l.node = o.node and not l.dead)
),
orphans as materialized (
    select r.id, r.claimed_at, dead.node
    from dead
    cross join lateral (
        select r.id, r.claimed_at from runlog.runs r where r.owner = dead.node limit $1 for no key update skip locked
    ) r
    limit $1
),
released as (
    update runlog.runs r
    set owner = null, claimed_at = null, wake_at = clock_timestamp(),
        deaths = case when w.further then 0 when w.resumed or r.gate_at is not null then r.deaths else r.deaths + 1 end,
        died_with = case when w.further or w.resumed or r.gate_at is not null then null else o.node end
    from orphans o
    cross join lateral (
        select coalesce((
                   select e.time >= o.claimed_at
                   from runlog.events e
                   where e.run_id = o.id
                   order by e.seq desc
                   limit 1
               ), false) as further,
               exists (select from runlog.nodes n where n.resumes = o.node) as resumed
    ) w
    where r.id = o.id
    returning 1
)
select (select count(*) from released) as "released!",
       (select min(lease_until) from runlog.leases where not dead) as next_expiry
