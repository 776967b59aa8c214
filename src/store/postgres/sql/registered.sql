-- Finds the version of a workflow that a start by its name is given: the newest of those that a living node serves, else
-- the newest.
-- binds: workflow
-- index: workflows_pkey, served_pkey, leases_pkey
select w.version, w.timeout_ms, w.start_timeout_ms
from runlog.workflows w
where w.name = $1
order by exists (
             select from runlog.served s
             join runlog.leases l on l.node = s.node and not l.dead and l.lease_until > clock_timestamp()
             where s.workflow = w.name and s.version = w.version
         ) desc,
         w.registered_at desc, w.version desc
limit 1
