-- Reads a bulk action.
-- binds: id
-- index: bulk_pkey
select id, who, namespace, action, options, query, reason, rate, total, done, refused, created_at, finished_at,
       finished_at is null and (busy_until is null or busy_until < clock_timestamp()) as "left!"
from runlog.bulk
where id = $1
