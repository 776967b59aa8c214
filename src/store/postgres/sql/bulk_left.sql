-- Lists bulk actions that are not finished and that nobody is at.
-- binds: rows at most
-- index: bulk_open
select id
from runlog.bulk
where finished_at is null and (busy_until is null or busy_until < clock_timestamp())
order by busy_until nulls first
limit $1
