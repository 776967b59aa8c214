-- Lists the workflows that were ever registered, with how many living nodes serve them: by name, what is served before
-- what is not, the newest first.
-- binds: a name, or null for all; rows at most
-- index: workflows_pkey, served_pkey, leases_pkey
select w.name, w.version, w.shape, w.registered_at, w.timeout_ms, w.start_timeout_ms, s.nodes as "nodes!"
from runlog.workflows w
cross join lateral (
    select count(*) as nodes
    from runlog.served s
    join runlog.leases l on l.node = s.node and l.lane = -1 and not l.dead and l.lease_until > clock_timestamp()
    where s.workflow = w.name and s.version = w.version
) s
where $1::text is null or w.name = $1
order by w.name, s.nodes > 0 desc, w.registered_at desc, w.version desc
limit $2
