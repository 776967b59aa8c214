-- A live parent knows of its child's end, or has the message in its inbox; what it recorded is how the child ended.
-- binds: first run, last run, now, grace
-- index: events_pkey, runs_pkey, runs_parent, inbox_run
with finished as (
    select run_id as parent, seq, (payload::json ->> 'run')::uuid as child,
           payload::json #>> '{outcome,status}' as status
    from runlog.events
    where run_id between $1 and $2 and kind = 'child_finished'
),
told as (
    select run_id as parent, (body::json #>> '{child_finished,run}')::uuid as child
    from runlog.inbox
    where run_id between $1 and $2
)
select f.parent as run,
       array[f.seq] as seqs,
       format('child %s is recorded as %s and is %s', f.child, f.status, c.status) as detail
from finished f
join runlog.runs c on c.id = f.child
where c.status::text <> f.status
union all
select p.id, array[]::int[], format('child %s is %s, and nothing told its parent', c.id, c.status)
from runlog.runs c
join runlog.runs p on p.id = c.parent
where p.id between $1 and $2
  and c.parent is not null
  and p.status in ('QUEUED', 'RUNNING')
  and c.status not in ('QUEUED', 'RUNNING')
  and not exists (select from finished f where f.parent = p.id and f.child = c.id)
  and not exists (select from told t where t.parent = p.id and t.child = c.id)
order by run, seqs
