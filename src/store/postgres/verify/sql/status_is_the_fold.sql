-- A run's status is what the last event that changes it says: an ended run has its terminal event, a live one none.
-- binds: first run, last run, now, grace
-- index: events_pkey, runs_pkey
with last as (
    select distinct on (run_id) run_id, seq, kind
    from runlog.events
    where run_id between $1 and $2
      and kind in ('run_created', 'run_started', 'run_succeeded', 'run_failed', 'run_cancelled', 'run_timed_out')
    order by run_id, seq desc
)
select r.id as run, array[last.seq] as seqs,
       format('the run is %s, its log ends with %s', r.status, last.kind) as detail
from last
join runlog.runs r on r.id = last.run_id and r.id between $1 and $2
where r.status::text <> case last.kind
    when 'run_created' then 'QUEUED'
    when 'run_started' then 'RUNNING'
    when 'run_succeeded' then 'SUCCEEDED'
    when 'run_failed' then 'FAILED'
    when 'run_cancelled' then 'CANCELLED'
    when 'run_timed_out' then 'TIMED_OUT'
end
order by r.id
