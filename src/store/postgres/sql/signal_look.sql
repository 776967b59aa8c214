-- Finds the oldest signal that a run which waits may still get; no row when it waits for none, or there is none.
-- binds: run, namespace, name, key
-- index: signal_waits_pkey, runs_pkey, signals_open, signals_told_pkey
select s.id, s.state
from runlog.signal_waits w
join runlog.runs r on r.id = w.run_id and r.status in ('QUEUED', 'RUNNING')
join runlog.signals s on s.namespace = w.namespace and s.name = w.name and s.key = w.key and s.state in ('NEW', 'KEPT')
where w.run_id = $1 and w.namespace = $2 and w.name = $3 and w.key = $4 and w.waits > 0
  and not exists (select from runlog.signals_told t where t.signal = s.id and t.run_id = w.run_id)
order by s.id
limit 1
