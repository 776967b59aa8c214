-- Says what the exporter has to look through besides the outbox, and whether transactions that may have written past it are
-- under way.
-- binds: the process's token
-- index: exporter_pkey
select e.sweep_since, e.sweep_after, e.sweep_waits is null as "unasked!",
       exists (
           select from pg_locks l
           where l.locktype = 'virtualxid' and l.virtualtransaction = any(e.sweep_waits)
       ) or exists (
           select from pg_prepared_xacts p where 'prepared ' || p.gid = any(e.sweep_waits)
       ) as "waits!"
from runlog.exporter e
where e.holder = $1
