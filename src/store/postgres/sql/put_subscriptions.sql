-- Keeps subscriptions: new ones, and, if they are to be replaced, those that differ from what is there. Answers with those that
-- were written.
-- binds: namespaces, names, keys, filters, workflows, metadata, priorities, declared, by; replace
-- index: subscriptions_namespace_name_key
insert into runlog.subscriptions as s (namespace, name, key, filter, workflow, metadata, priority, declared, created_by)
select n.namespace, n.name, n.key, n.filter, n.workflow, n.metadata::jsonb, n.priority, n.declared, n.by
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::smallint[], $8::boolean[],
            $9::text[])
    as n (namespace, name, key, filter, workflow, metadata, priority, declared, by)
-- Always in this order, so that two nodes that start at once never wait for each other in a circle.
order by n.namespace, n.name
on conflict (namespace, name) do update
set key = excluded.key, filter = excluded.filter, workflow = excluded.workflow, metadata = excluded.metadata,
    priority = excluded.priority, declared = excluded.declared, created_by = excluded.created_by
where $10::boolean
  and (s.key, s.filter, s.workflow, s.metadata, s.priority, s.declared)
      is distinct from
      (excluded.key, excluded.filter, excluded.workflow, excluded.metadata, excluded.priority, excluded.declared)
returning namespace as "namespace!", name as "name!", (xmax = 0) as "created!"
