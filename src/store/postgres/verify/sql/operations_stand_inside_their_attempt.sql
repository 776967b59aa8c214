-- What an attempt does stands between its beginning and its end. A child may end at any time; what a replay takes over
-- stands before all of it, which is a_replay_takes_over_first, and so do conditions, which are the task's.
-- binds: first run, last run, now, grace
-- index: events_pkey
select run_id as run,
       array_remove(array[bound[1], seq], null) as seqs,
       format('%s of attempt %s at task %s, which is not under way', kind, attempt, task) as detail
from (
    select run_id, seq, kind, task, attempt,
           -- The last beginning or end before: its seq, its attempt, whether it is a beginning.
           max(case
               when kind in ('attempt_started', 'attempt_succeeded', 'attempt_failed')
               then array[seq, attempt, (kind = 'attempt_started')::int]
           end) over (partition by run_id, task order by seq) as bound
    from runlog.events
    where run_id between $1 and $2
      and task is not null
      and kind not in ('child_finished', 'task_reused', 'task_resumed', 'op_reused',
                       'conditions_opened', 'condition_decided', 'task_skipped')
) e
where kind not in ('attempt_started', 'attempt_succeeded', 'attempt_failed')
  and (bound is null or bound[2] <> attempt or bound[3] = 0)
order by run_id, seq
