-- Sets the limits of workflows; those without one lose theirs. Gates whose number of slots changes are called.
-- binds: workflows without a limit; workflows, limits' names, slots, policies, sources of their keys
-- index: limits_pkey, runs_gated
with before as materialized (
    select workflow, slots
    from runlog.limits
    where workflow = any($1::text[]) or workflow = any($2::text[])
),
gone as (
    delete from runlog.limits where workflow = any($1::text[])
),
given as materialized (
    select distinct on (workflow) *
    from unnest($2::text[], $3::text[], $4::int[], $5::text[], $6::text[]) as l (workflow, name, slots, policy, key_by)
    order by workflow
),
kept as (
    insert into runlog.limits as l (workflow, name, slots, policy, key_by)
    select workflow, name, slots, policy, key_by from given
    on conflict (workflow) do update
    set name = excluded.name, slots = excluded.slots, policy = excluded.policy, key_by = excluded.key_by,
        since = case when l.slots = excluded.slots then l.since else clock_timestamp() end
    where (l.name, l.slots, l.policy, l.key_by)
          is distinct from (excluded.name, excluded.slots, excluded.policy, excluded.key_by)
)
insert into runlog.gate_calls (gate, at)
select distinct r.gate, clock_timestamp()
from before b
left join given g on g.workflow = b.workflow
join runlog.runs r on r.workflow = b.workflow and r.gate_at is not null
where g.slots is distinct from b.slots
