-- Says where a signal stands; no row once it was swept.
-- binds: signal
-- index: signals_pkey
select s.state, s.runs from runlog.signals s where s.id = $1
