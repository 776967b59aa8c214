-- No attempt at a task begins after the task's output or after it was skipped, nor are its conditions looked at; no try of
-- a step after the step's outcome, taken over by a replay or not.
-- binds: first run, last run, now, grace
-- index: events_pkey
select run_id as run,
       array[completed_seq, seq] as seqs,
       format('%s of %s after its completion', kind, coalesce('step ' || op || ' in ', '') || 'task ' || task) as detail
from (
    select run_id, seq, kind, task, op,
           max(seq) filter (where kind in ('step_completed', 'attempt_succeeded', 'task_reused', 'op_reused', 'task_skipped')) over (
               partition by run_id, task, op order by seq rows between unbounded preceding and 1 preceding
           ) as completed_seq
    from (
        select run_id, seq, kind, task,
               case when kind like 'step%' or kind = 'op_reused' then payload::json ->> 'op' end as op
        from runlog.events
        where run_id between $1 and $2
          and (
              kind in ('step_started', 'step_failed', 'step_completed', 'attempt_started', 'attempt_succeeded', 'task_reused',
                       'task_skipped', 'conditions_opened', 'condition_decided')
              or kind = 'op_reused' and payload::json #> '{recorded,step}' is not null
          )
    ) e
) e
where completed_seq is not null and kind in ('step_started', 'step_failed', 'attempt_started', 'task_skipped', 'conditions_opened', 'condition_decided')
order by run_id, seq
