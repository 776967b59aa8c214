-- Sets the limits of workflows; those without one lose theirs. Gates whose number of slots, rate or debounce changes are
-- called.
-- binds: workflows without a limit; workflows, limits' names, slots, policies, sources of their keys, starts
-- and windows of their rates, how long they are to be quiet and to wait for that at most
-- index: limits_pkey, runs_gated
with before as materialized (
    select workflow, slots, starts, window_ms, quiet_ms, max_wait_ms
    from runlog.limits
    where workflow = any($1::text[]) or workflow = any($2::text[])
),
gone as (
    delete from runlog.limits where workflow = any($1::text[])
),
given as materialized (
    select distinct on (workflow) *
    from unnest($2::text[], $3::text[], $4::int[], $5::text[], $6::text[], $7::int[], $8::bigint[], $9::bigint[],
                $10::bigint[])
         as l (workflow, name, slots, policy, key_by, starts, window_ms, quiet_ms, max_wait_ms)
    order by workflow
),
kept as (
    insert into runlog.limits as l (workflow, name, slots, policy, key_by, starts, window_ms, quiet_ms, max_wait_ms)
    select workflow, name, slots, policy, key_by, starts, window_ms, quiet_ms, max_wait_ms from given
    on conflict (workflow) do update
    set name = excluded.name, slots = excluded.slots, policy = excluded.policy, key_by = excluded.key_by,
        starts = excluded.starts, window_ms = excluded.window_ms, quiet_ms = excluded.quiet_ms,
        max_wait_ms = excluded.max_wait_ms,
        since = case
            when (l.slots, l.starts, l.window_ms, l.quiet_ms, l.max_wait_ms)
                 is distinct from (
                     excluded.slots, excluded.starts, excluded.window_ms, excluded.quiet_ms, excluded.max_wait_ms
                 )
                then clock_timestamp()
            else l.since
        end
    where (l.name, l.slots, l.policy, l.key_by, l.starts, l.window_ms, l.quiet_ms, l.max_wait_ms)
          is distinct from (
              excluded.name, excluded.slots, excluded.policy, excluded.key_by, excluded.starts, excluded.window_ms,
              excluded.quiet_ms, excluded.max_wait_ms
          )
)
insert into runlog.gate_calls (gate, at)
select distinct r.gate, clock_timestamp()
from before b
left join given g on g.workflow = b.workflow
join runlog.runs r on r.workflow = b.workflow and r.gate_at is not null
where (g.slots, g.starts, g.window_ms, g.quiet_ms, g.max_wait_ms)
      is distinct from (b.slots, b.starts, b.window_ms, b.quiet_ms, b.max_wait_ms)
