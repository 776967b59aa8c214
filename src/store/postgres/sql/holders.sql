-- Finds the runs that hold keys; must follow the insert that left runs out as a statement of its own.
-- binds: runs that want the keys, namespaces, workflows, keys
-- index: runs_keyed, archived_runs_key
select x.id as "wanted!", r.id as "holder!"
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) as x (id, namespace, workflow, key)
join runlog.runs r on r.namespace = x.namespace and r.workflow = x.workflow and r.key = x.key
where r.key is not null
union all
select x.id, a.id
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) as x (id, namespace, workflow, key)
join runlog.archived_runs a on a.namespace = x.namespace and a.workflow = x.workflow and a.key = x.key
where a.key is not null and not a.imported
