-- Lets runs in that wait for a slot of their key: see runlog.let_in.
-- binds: calls at most
-- index: gate_calls_at, gate_calls_pkey, runs_gated, runs_let_in, runs_pkey, limits_pkey
select runlog.let_in($1) as "answered!"
