-- Registers a node with a lease on each lane, and one for its claims (lane -1), and what it serves. What died with the node
-- that the same process was before did not kill it, when that node only lost the database.
-- binds: name, pid, release, lanes, lease, the fence's token, slots, served workflows, their versions, their slots,
-- the node that it was before
-- index: runs_died_with
with node as (
    insert into runlog.nodes (name, pid, release, slots, resumes, fills_outbox) values ($1, $2, $3, $7, $11, true) returning id, joined_at
),
lanes as (
    insert into runlog.leases (node, lane, lease_until, token, timeline)
    select node.id, lane.n, node.joined_at + $5::interval, $6, runlog.timeline()
    from node cross join generate_series(-1, $4::int - 1) as lane (n)
),
served as (
    insert into runlog.served (node, workflow, version, slots)
    select node.id, s.workflow, s.version, s.slots
    from node cross join unnest($8::text[], $9::text[], $10::int[]) as s (workflow, version, slots)
),
forgiven as (
    update runlog.runs r set deaths = greatest(r.deaths - 1, 0), died_with = null where r.died_with = $11
)
select id, joined_at from node
