-- Says where a queued run stands that was not let in.
-- binds: run
-- index: runs_pkey, limits_pkey, runs_let_in
select coalesce(l.name, '') as "name!", coalesce(r.limit_key, '') as "key!", l.slots as "slots?",
       (
           select count(*)
           from runlog.runs o
           where o.gate = r.gate and o.gate_at is null and o.status in ('QUEUED', 'RUNNING')
       ) as "running!"
from runlog.runs r
left join runlog.limits l on l.workflow = r.workflow
where r.id = $1 and r.gate_at is not null and r.status = 'QUEUED'
