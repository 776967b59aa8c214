-- A live run's owner has its lease on every lane, or lost it so lately that nobody could take its runs over yet.
-- binds: first run, last run, now, grace
-- index: runs_owner, leases_pkey
with lease as (
    select l.node,
           count(*) as lanes,
           -- Who leaves ends its lease before its time.
           min(case when l.dead then least(l.lease_until, n.left_at) else l.lease_until end) as until
    from runlog.leases l
    left join runlog.nodes n on n.id = l.node
    group by l.node
)
select r.id as run,
       array[]::int[] as seqs,
       case when lease.node is null then format('its owner, node %s, has no lease', r.owner)
            else format('its owner, node %s, lost its lease %s ago', r.owner, $3::timestamptz - lease.until)
       end as detail
from runlog.runs r
left join lease on lease.node = r.owner
where r.id between $1 and $2
  and r.owner is not null
  and coalesce(lease.until < $3::timestamptz - $4::interval, true)
order by r.id
