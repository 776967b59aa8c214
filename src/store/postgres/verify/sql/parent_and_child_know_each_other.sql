-- Each child_started has its run, which names the parent, and each run with a parent its child_started. In a replay, a
-- child that is replayed with it was started by op_reused.
-- The other one of the two may have been retired with its log, unless the parent still waits for the child.
-- binds: first run, last run, now, grace
-- index: events_pkey, runs_pkey, runs_parent
with started as (
    select run_id as parent, seq,
           coalesce(payload::json ->> 'run', payload::json #>> '{recorded,replayed_child,run}')::uuid as child
    from runlog.events
    where run_id between $1 and $2
      and (
          kind = 'child_started'
          or kind = 'op_reused' and payload::json #> '{recorded,replayed_child}' is not null
      )
),
finished as (
    select run_id as parent, (payload::json ->> 'run')::uuid as child
    from runlog.events
    where run_id between $1 and $2 and kind = 'child_finished'
)
select s.parent as run,
       array[s.seq] as seqs,
       case when c.id is null then format('child %s does not exist', s.child)
            else format('child %s names %s as its parent', s.child, coalesce('run ' || c.parent, 'nobody'))
       end as detail
from started s
join runlog.runs p on p.id = s.parent
left join runlog.runs c on c.id = s.child
where case
    when c.id is not null then c.parent is distinct from s.parent
    else p.status in ('QUEUED', 'RUNNING')
        and not exists (select from finished f where f.parent = s.parent and f.child = s.child)
end
union all
select p.id, array[]::int[], format('child %s names it as its parent, its log knows no such child', c.id)
from runlog.runs c
join runlog.runs p on p.id = c.parent
where p.id between $1 and $2
  and c.parent is not null
  and not exists (select from started s where s.parent = c.parent and s.child = c.id)
order by run, seqs
