-- Settles a new signal once nobody is left to tell: KEPT when it reached no run. A run that began to wait after this
-- statement's snapshot asks by itself, after its commit.
-- binds: signal
-- index: signals_pkey, signal_waits_open, runs_pkey, signals_told_pkey
update runlog.signals s
set state = case when s.runs > 0 then 'TOLD' else 'KEPT' end, body = case when s.runs > 0 then null else s.body end
where s.id = $1 and s.state = 'NEW'
  and not exists (
      select
      from runlog.signal_waits w
      join runlog.runs r on r.id = w.run_id and r.status in ('QUEUED', 'RUNNING')
      where w.namespace = s.namespace and w.name = s.name and w.key = s.key and w.waits > 0
        and not exists (select from runlog.signals_told t where t.signal = s.id and t.run_id = w.run_id)
  )
