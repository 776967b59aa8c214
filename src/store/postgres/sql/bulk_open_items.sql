-- Reads the next runs of a bulk action that are not answered for.
-- binds: id, rows at most
-- index: bulk_items_open
select place, run_id
from runlog.bulk_items
where bulk = $1 and outcome is null
order by place
limit $2
