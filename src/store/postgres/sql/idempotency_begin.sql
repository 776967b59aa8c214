-- Takes a request's key: where nobody has it, where who had it died over the same request, and where its day is over.
-- No row where none of that is so.
-- binds: scope, key, hash of the request, how long it counts as under way, how long an answer is kept
-- index: idempotency_pkey
insert into runlog.idempotency as i (scope, key, request, busy_until)
values ($1, $2, $3, clock_timestamp() + $4)
on conflict (scope, key) do update
set request = excluded.request, created_at = excluded.created_at, busy_until = excluded.busy_until,
    status = null, location = null, body = null
where i.created_at < clock_timestamp() - $5::interval
   or i.status is null and i.busy_until < clock_timestamp() and i.request = excluded.request
returning true as "taken!"
