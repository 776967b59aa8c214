-- A signal is recorded once. The log does not name the message: two of one name in one microsecond are one, for a run's
-- messages come one after the other under its row's lock.
-- binds: first run, last run, now, grace
-- index: events_pkey
select run_id as run,
       array_agg(seq order by seq) as seqs,
       format('signal %s of %s is recorded %s times', name, sent_at, count(*)) as detail
from (
    select run_id, seq, payload::json ->> 'name' as name, payload::json ->> 'sent_at' as sent_at
    from runlog.events
    where run_id between $1 and $2 and kind = 'signal_received'
) e
group by run_id, name, sent_at
having count(*) > 1
order by run_id, min(seq)
