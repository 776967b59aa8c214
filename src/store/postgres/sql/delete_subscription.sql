-- Deletes a subscription.
-- binds: namespace, name
-- index: subscriptions_namespace_name_key
delete from runlog.subscriptions where namespace = $1 and name = $2
