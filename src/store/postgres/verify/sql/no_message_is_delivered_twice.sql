-- Signals, children's ends and the one cancel in the log, and what waits in the inbox, are no more than were ever
-- sent.
-- binds: first run, last run, now, grace
-- index: events_pkey, runs_pkey, inbox_run
with logged as (
    select run_id,
           count(*) filter (where kind in ('signal_received', 'child_finished', 'cancel_requested'))
               -- A run that was not asked first was cancelled by the message itself.
               + (bool_or(kind = 'run_cancelled') and not bool_or(kind = 'cancel_requested'))::int as messages,
           array_agg(seq order by seq) as seqs
    from runlog.events
    where run_id between $1 and $2
      and kind in ('signal_received', 'child_finished', 'cancel_requested', 'run_cancelled')
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
where r.id between $1 and $2 and coalesce(l.messages, 0) + coalesce(p.messages, 0) > r.mail
order by r.id
