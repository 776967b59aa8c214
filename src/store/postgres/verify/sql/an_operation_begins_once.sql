-- A durable operation begins once; what an earlier attempt abandoned or failed at may begin again, as anything. What a
-- replay took over has begun, in attempt 0 if the code may do without it, else in attempt 1.
-- A patch is marked once; no name holds a line break, so that its key is no operation's.
-- A step that begins after its completion is nothing_begins_after_its_completion.
-- binds: first run, last run, now, grace
-- index: events_pkey
select run_id as run,
       array[before_seq, seq] as seqs,
       format('%s of %s in task %s follows %s', kind, op, task, before) as detail
from (
    select run_id, seq, kind, task, attempt, op, lag(kind) over op_log as before, lag(seq) over op_log as before_seq,
           lag(attempt) over op_log as before_attempt
    from (
        select run_id, seq, task, coalesce(payload::json ->> 'op', E'\n' || (payload::json ->> 'patch')) as op,
               case
                   when kind <> 'op_reused' then kind
                   when payload::json #> '{recorded,step}' is not null then 'step_completed'
                   when payload::json #> '{recorded,failed_step}' is not null then 'step_failed'
                   when payload::json ->> 'recorded' = 'abandoned' then 'wait_abandoned'
                   else kind
               end as kind,
               case
                   when kind <> 'op_reused' then attempt
                   else (payload::json ->> 'optional' is distinct from 'true')::int
               end as attempt
        from runlog.events
        where run_id between $1 and $2
          and kind in ('step_started', 'step_completed', 'step_failed', 'timer_started', 'timer_fired',
                       'signal_awaited', 'signal_timed_out', 'wait_abandoned', 'child_started', 'race_won', 'time_read',
                       'patch_marked', 'op_reused')
    ) e
    window op_log as (partition by run_id, task, op order by seq)
) e
where kind in ('step_started', 'timer_started', 'signal_awaited', 'child_started', 'race_won', 'time_read', 'patch_marked')
  and before is not null
  and not (kind = 'step_started' and before = 'step_completed')
  and not (before in ('wait_abandoned', 'step_failed') and before_attempt < attempt)
order by run_id, seq
