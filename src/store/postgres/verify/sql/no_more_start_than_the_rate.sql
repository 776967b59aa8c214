-- In no window more runs of a key are let in than its limit's rate says; since it says so.
-- binds: first run, last run, now, grace
-- index: runs_pkey, runs_let_in_at, limits_pkey
with counted as (
    select r.id, r.limit_key, r.let_in_at, l.name, l.starts, l.window_ms, l.since,
           lag(r.let_in_at, l.starts) over (partition by r.gate order by r.let_in_at, r.id) as before
    from runlog.runs r
    join runlog.limits l on l.workflow = r.workflow and l.starts is not null
    where r.id between $1 and $2 and r.let_in_at is not null
)
select id as run, '{}'::int[] as seqs,
       format('key %s of limit %s, which lets %s start in %s ms, let one more in from %s on',
              limit_key, name, starts, window_ms, before) as detail
from counted
-- Who looked as the rate changed may have gone by the one before.
where let_in_at < before + window_ms * interval '1 ms' and before >= since + $4::interval
order by id
