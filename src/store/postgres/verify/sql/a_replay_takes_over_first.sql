-- Only a replay takes anything over: right after its creation, as attempt 0, each task once, and operations of the tasks
-- that it resumes.
-- binds: first run, last run, now, grace
-- index: events_pkey
with replay as (
    select run_id
    from runlog.events
    where run_id between $1 and $2
      and seq = 1
      and kind = 'run_created'
      and payload::json #> '{trigger,replay}' is not null
),
taken as (
    select run_id, seq, kind, task, attempt,
           row_number() over (partition by run_id order by seq) as place,
           count(*) filter (where kind <> 'op_reused') over of_task as begun,
           bool_or(kind = 'task_resumed') over of_task as resumed
    from runlog.events e
    where run_id between $1 and $2
      and (
          kind in ('task_reused', 'task_resumed', 'op_reused')
          -- After the start it is a condition's doing.
          or kind = 'task_skipped' and not exists (
              select from runlog.events s where s.run_id = e.run_id and s.seq < e.seq and s.kind = 'run_started'
          )
      )
    window of_task as (partition by run_id, task order by seq)
)
select t.run_id as run,
       array[t.seq] as seqs,
       format('%s of task %s %s', t.kind, t.task,
              case when r.run_id is null then 'in a run that is no replay' else 'does not stand where it may' end) as detail
from taken t
left join replay r on r.run_id = t.run_id
where r.run_id is null
   or t.seq <> t.place + 1
   or t.attempt <> 0
   or t.begun <> 1
   or t.kind = 'op_reused' and not t.resumed
order by t.run_id, t.seq
