-- A task's attempts count 1, 2, 3, …; each begins after the failure of the one before it, which asked for a retry.
-- A second end of an attempt is an_attempt_ends_once, an attempt after the output nothing_begins_after_its_completion.
-- binds: first run, last run, now, grace
-- index: events_pkey
select run_id as run,
       array_remove(array[before_seq, seq], null) as seqs,
       format('%s of attempt %s at task %s follows %s', kind, attempt, task,
              coalesce(before || ' of attempt ' || before_attempt, 'no attempt')) as detail
from (
    select run_id, seq, kind, task, attempt, lag(kind) over of_task as before, lag(seq) over of_task as before_seq,
           lag(attempt) over of_task as before_attempt, lag(retries) over of_task as before_retries
    from (
        select run_id, seq, kind, task, attempt,
               kind = 'attempt_failed' and payload::json ->> 'retry_at' is not null as retries
        from runlog.events
        where run_id between $1 and $2 and kind in ('attempt_started', 'attempt_succeeded', 'attempt_failed')
    ) e
    window of_task as (partition by run_id, task order by seq)
) e
where case
    when kind = 'attempt_started' and before is null then attempt <> 1
    when kind = 'attempt_started' and before = 'attempt_succeeded' then false
    when kind = 'attempt_started'
        then not (before = 'attempt_failed' and before_retries and attempt = before_attempt + 1)
    when before is distinct from 'attempt_started' then attempt is distinct from before_attempt
    else attempt <> before_attempt
end
order by run_id, seq
