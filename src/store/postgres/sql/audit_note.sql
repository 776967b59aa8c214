-- Notes what was done or tried.
-- binds: who, action, namespace, run, target, reason, outcome, request id
insert into runlog.audit (who, action, namespace, run_id, target, reason, outcome, request_id)
values ($1, $2, $3, $4, $5, $6, $7, $8)
