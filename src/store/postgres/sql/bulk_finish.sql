-- Ends a bulk action all of whose runs are answered for.
-- binds: id, holder
-- index: bulk_pkey, bulk_items_open
update runlog.bulk b
set finished_at = clock_timestamp(), holder = null, busy_until = null
where b.id = $1 and b.holder = $2 and b.finished_at is null
  and not exists (select from runlog.bulk_items i where i.bulk = b.id and i.outcome is null)
