-- Takes a bulk action that nobody is at; no row when somebody is, or it is finished.
-- binds: id, holder, how long that holds
-- index: bulk_pkey
update runlog.bulk
set holder = $2, busy_until = clock_timestamp() + $3::interval
where id = $1 and finished_at is null and (busy_until is null or busy_until < clock_timestamp())
