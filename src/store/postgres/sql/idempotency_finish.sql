-- Keeps the answer to a request.
-- binds: scope, key, status, location, body
-- index: idempotency_pkey
update runlog.idempotency set status = $3, location = $4, body = $5 where scope = $1 and key = $2
