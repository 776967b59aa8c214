-- Every message that was sent to a live run is in its log or in its inbox.
-- What SQL cannot know: which cancels came after the first one, for they leave no event, and which messages came after
-- the end, for they are dropped. Hence no word on ended runs, nor on those that are being cancelled.
-- binds: first run, last run, now, grace
-- index: events_pkey, runs_pkey, inbox_run
with logged as (
    select run_id,
           count(*) filter (where kind <> 'cancel_requested') as messages,
           bool_or(kind = 'cancel_requested') as cancelled,
           array_agg(seq order by seq) as seqs
    from runlog.events
    where run_id between $1 and $2 and kind in ('signal_received', 'child_finished', 'cancel_requested')
    group by run_id
),
pending as (
    select run_id, count(*) as messages from runlog.inbox where run_id between $1 and $2 group by run_id
)
select r.id as run,
       coalesce(l.seqs[1:8], '{}') as seqs,
       format('%s messages were sent, %s are in the log and %s in the inbox', r.mail, coalesce(l.messages, 0),
              coalesce(p.messages, 0)) as detail
from runlog.runs r
left join logged l on l.run_id = r.id
left join pending p on p.run_id = r.id
where r.id between $1 and $2
  and r.status in ('QUEUED', 'RUNNING')
  and l.cancelled is not true
  and coalesce(l.messages, 0) + coalesce(p.messages, 0) < r.mail
order by r.id
