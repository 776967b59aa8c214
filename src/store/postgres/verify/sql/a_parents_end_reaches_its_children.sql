-- A child that its parent left behind by failing, timing out or being cancelled has ended, was asked to, or has the
-- message in its inbox. A parent that succeeds leaves its children alone.
-- binds: first run, last run, now, grace
-- index: events_pkey, runs_pkey, runs_parent, inbox_run
with cancelled as (
    select run_id, seq from runlog.events where run_id between $1 and $2 and kind = 'cancel_requested'
)
select p.id as run,
       array_remove(array[cancelled.seq], null) as seqs,
       format('child %s is %s, and nothing told it of its parent''s %s', c.id, c.status,
              case when p.status = 'RUNNING' then 'cancel' else 'end' end) as detail
from runlog.runs p
join runlog.runs c on c.parent = p.id
left join cancelled on cancelled.run_id = p.id
where p.id between $1 and $2
  and c.parent is not null
  and c.status in ('QUEUED', 'RUNNING')
  and (p.status in ('FAILED', 'CANCELLED', 'TIMED_OUT') or p.status = 'RUNNING' and cancelled.run_id is not null)
  and not exists (select from runlog.events e where e.run_id = c.id and e.kind = 'cancel_requested')
  and not exists (select from runlog.inbox i where i.run_id = c.id and i.body::json -> 'cancel' is not null)
order by p.id, c.id
