-- Lists the subscriptions of a namespace by name.
-- binds: namespace, key or null, after or null, limit
-- index: subscriptions_key, subscriptions_namespace_name_key
select namespace, name, key, filter, workflow, metadata::text as "metadata!", priority, declared, created_by
from runlog.subscriptions
where namespace = $1 and ($2::text is null or key = $2) and ($3::text is null or name > $3)
order by name
limit $4
