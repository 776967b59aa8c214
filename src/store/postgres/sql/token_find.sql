-- Finds a token that may be used now.
-- binds: prefix
-- index: tokens_prefix_key
select id, name, prefix, hash, actions, namespace, created_at, expires_at, revoked_at, used_at,
       used_at is null or used_at < clock_timestamp() - interval '1 minute' as "stale!"
from runlog.tokens
where prefix = $1 and revoked_at is null and (expires_at is null or expires_at > clock_timestamp())
