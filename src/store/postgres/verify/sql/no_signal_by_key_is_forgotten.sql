-- No signal by key stays undelivered while a live run waits for it.
-- binds: first run, last run, now, grace
-- index: signal_waits_pkey, runs_pkey, signals_open, signals_told_pkey
select w.run_id as run,
       array[]::int[] as seqs,
       format('signal %s of key %s is %s since %s, and the run waits for it since %s', s.name, s.key, s.state, s.sent_at,
              w.asked_at) as detail
from runlog.signal_waits w
join runlog.runs r on r.id = w.run_id and r.status in ('QUEUED', 'RUNNING')
join runlog.signals s on s.namespace = w.namespace and s.name = w.name and s.key = w.key and s.state in ('NEW', 'KEPT')
where w.run_id between $1 and $2
  and w.waits > 0
  and s.sent_at < $3::timestamptz - $4::interval
  and w.asked_at < $3::timestamptz - $4::interval
  and not exists (select from runlog.signals_told t where t.signal = s.id and t.run_id = w.run_id)
order by run, s.id
