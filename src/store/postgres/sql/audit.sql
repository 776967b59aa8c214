-- Lists what was done, the newest first.
-- binds: namespace or null for all, run or null for all, before which id, rows at most
-- index: audit_pkey, audit_namespace, audit_run
select id, at, who, action, namespace, run_id, target, reason, outcome, request_id
from runlog.audit
where ($1::text is null or namespace = $1) and ($2::uuid is null or run_id = $2) and id < $3
order by id desc
limit $4
