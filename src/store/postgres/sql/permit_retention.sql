-- Lets this transaction remove logs, and keeps it from waiting for a lock or working for long. Lasts until its end.
-- binds: how long it may wait for a lock, how long a statement may take
-- index: none
select set_config('runlog.retention', 'on', true) as permitted, set_config('lock_timeout', $1, true) as waits,
       set_config('statement_timeout', $2, true) as works
