-- Lists the tokens that were not revoked, the newest first.
-- binds: rows at most
-- index: tokens_pkey
select id, name, prefix, hash, actions, namespace, created_at, expires_at, revoked_at, used_at, false as "stale!"
from runlog.tokens
where revoked_at is null
order by id desc
limit $1
