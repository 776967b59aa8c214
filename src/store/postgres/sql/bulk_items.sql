-- Reads the runs of a bulk action with their answers.
-- binds: id, after which place, rows at most
-- index: bulk_items_pkey
select place, run_id, outcome, detail, new_run
from runlog.bulk_items
where bulk = $1 and place > $2
order by place
limit $3
