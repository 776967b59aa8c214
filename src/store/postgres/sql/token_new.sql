-- Keeps a new token's hash; no row where another living token has the name.
-- binds: name, prefix, hash, actions, namespace, how long it lives
-- index: tokens_name
insert into runlog.tokens (name, prefix, hash, actions, namespace, expires_at)
values ($1, $2, $3, $4::text[], $5, clock_timestamp() + $6::interval)
on conflict (name) where revoked_at is null do nothing
returning id, name, prefix, hash, actions, namespace, created_at, expires_at, revoked_at, used_at, true as "stale!"
