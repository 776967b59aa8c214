-- Removes some answers whose day is over.
-- binds: how long an answer is kept, rows at most
-- index: idempotency_age
with old as materialized (
    select scope, key
    from runlog.idempotency
    where created_at < clock_timestamp() - $1::interval
    order by created_at
    limit $2
    for update skip locked
)
delete from runlog.idempotency i using old where i.scope = old.scope and i.key = old.key
