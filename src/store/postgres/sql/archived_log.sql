-- Reads the parts of an archived run's log that hold events after a seq, the first ones of them.
-- binds: run, after which seq, parts at most
-- index: archived_runs_pkey, archived_parts_pkey
select log as "log!"
from (
    select 1 as first_seq, a.log
    from runlog.archived_runs a
    where a.id = $1
      and $2 < coalesce((select min(p.first_seq) - 1 from runlog.archived_parts p where p.run_id = a.id), a.events)
    union all
    select p.first_seq, p.log from runlog.archived_parts p where p.run_id = $1 and p.last_seq > $2
) part
order by first_seq
limit $3
