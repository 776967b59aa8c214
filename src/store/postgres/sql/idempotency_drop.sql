-- Forgets a request that came to nothing.
-- binds: scope, key
-- index: idempotency_pkey
delete from runlog.idempotency where scope = $1 and key = $2 and status is null
