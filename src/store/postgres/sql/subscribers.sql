-- Lists the subscriptions to the events of a key by name: each push asks.
-- binds: namespace, key, after or null, limit
-- index: subscriptions_key
select namespace, name, key, filter, workflow, metadata::text as "metadata!", priority, declared, created_by
from runlog.subscriptions
where namespace = $1 and key = $2 and name > coalesce($3, '')
order by name
limit $4
