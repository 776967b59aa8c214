-- Nodes write a running run's log in stretches that do not overlap: whoever writes after another node begins with
-- run_claimed. A queued run is claimed without a word, and a client without a node writes run_created alone.
-- binds: first run, last run, now, grace
-- index: events_pkey
select run_id as run,
       array[before_seq, seq] as seqs,
       format('node %s writes %s after node %s, without a claim', coalesce(node::text, 'null'), kind,
              coalesce(before::text, 'null')) as detail
from (
    select run_id, seq, kind, node, lag(node) over log as before, lag(seq) over log as before_seq,
           min(seq) filter (where kind = 'run_started') over (partition by run_id) as started_seq
    from runlog.events
    where run_id between $1 and $2
    window log as (partition by run_id order by seq)
) e
where before_seq is not null
  and node is distinct from before
  and (node is null or seq > started_seq and kind <> 'run_claimed')
order by run_id, seq
