-- Reads what became of a request.
-- binds: scope, key
-- index: idempotency_pkey
select request, status, location, body
from runlog.idempotency
where scope = $1 and key = $2
