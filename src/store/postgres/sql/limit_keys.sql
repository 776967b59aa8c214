-- Lists the keys of a workflow's limit under which runs were let in or wait, the longest lines first; of more than so many
-- runs only these are counted.
-- binds: workflow; a namespace, or null for all; rows at most; runs counted at most
-- index: runs_let_in, runs_gated
with let_in as materialized (
    select r.namespace, r.workflow, r.limit_key
    from runlog.runs r
    where r.gate is not null and r.gate_at is null and r.status in ('QUEUED', 'RUNNING')
    limit $4
),
gated as materialized (
    select r.namespace, r.workflow, r.limit_key from runlog.runs r where r.gate_at is not null limit $4
)
select namespace as "namespace!", limit_key as "key!", sum(running) as "running!", sum(waiting) as "waiting!"
from (
    select namespace, workflow, limit_key, 1 as running, 0 as waiting from let_in
    union all
    select namespace, workflow, limit_key, 0, 1 from gated
) runs
where workflow = $1 and ($2::text is null or namespace = $2)
group by namespace, limit_key
order by sum(waiting) desc, sum(running) desc, namespace, limit_key
limit $3
