-- Finds the version of a workflow that a start by its name is given: the newest of those that a living node serves, else
-- the newest.
-- binds: workflow
-- index: workflows_pkey, limits_pkey, served_pkey, leases_pkey
select w.version, w.timeout_ms, w.start_timeout_ms, l.name as "limit_name?", l.slots as "slots?", l.starts as "starts?",
       l.window_ms as "window_ms?", l.quiet_ms as "quiet_ms?", l.max_wait_ms as "max_wait_ms?", l.policy as "policy?",
       l.key_by as "key_by?"
from runlog.workflows w
left join runlog.limits l on l.workflow = w.name
where w.name = $1
order by exists (
             select from runlog.served s
             join runlog.leases l on l.node = s.node and not l.dead and l.lease_until > clock_timestamp()
             where s.workflow = w.name and s.version = w.version
         ) desc,
         w.registered_at desc, w.version desc
limit 1
