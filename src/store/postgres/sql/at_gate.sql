-- Says where a queued run stands that was not let in.
-- binds: run
-- index: runs_pkey, limits_pkey, runs_let_in, runs_let_in_at
select coalesce(l.name, '') as "name!", coalesce(r.limit_key, '') as "key!", l.slots as "slots?",
       (
           select count(*)
           from runlog.runs o
           where o.gate = r.gate and o.gate_at is null and o.status in ('QUEUED', 'RUNNING')
       ) as "running!",
       (
           select o.let_in_at + l.window_ms * interval '1 ms'
           from runlog.runs o
           where o.gate = r.gate and o.let_in_at > clock_timestamp() - l.window_ms * interval '1 ms'
           order by o.let_in_at desc
           limit 1 offset coalesce(l.starts, 1) - 1
       ) as "until?",
       case
           when l.quiet_ms is not null then (
               select opens.at
               from (select runlog.opens_at(r.gate_at, r.burst_at, l.quiet_ms, l.max_wait_ms) as at) opens
               where opens.at > clock_timestamp()
           )
       end as "quiet_at?"
from runlog.runs r
left join runlog.limits l on l.workflow = r.workflow
where r.id = $1 and r.gate_at is not null and r.status = 'QUEUED'
