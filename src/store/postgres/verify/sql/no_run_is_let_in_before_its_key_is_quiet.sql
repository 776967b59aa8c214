-- No run is let in before its key was quiet for as long as its limit says, counted from the first of the runs that it stands
-- for; since it says so.
-- binds: first run, last run, now, grace
-- index: runs_pkey, limits_pkey
select r.id as run, '{}'::int[] as seqs,
       format('key %s of limit %s, to be quiet for %s ms, let it in %s after the first of its burst came',
              r.limit_key, l.name, l.quiet_ms, r.let_in_at - r.burst_at) as detail
from runlog.runs r
join runlog.limits l on l.workflow = r.workflow and l.quiet_ms is not null
where r.id between $1 and $2
  and r.let_in_at < r.burst_at + l.quiet_ms * interval '1 ms'
  -- Who looked as the limit changed may have gone by the one before.
  and r.let_in_at >= l.since + $4::interval
order by r.id
