-- Lists the subscriptions of a namespace by name.
-- binds: namespace, after or null, limit
-- index: subscriptions_namespace_name_key
select namespace, name, key, filter, workflow, metadata::text as "metadata!", priority, declared, created_by
from runlog.subscriptions
where namespace = $1 and name > coalesce($2, '')
order by name
limit $3
