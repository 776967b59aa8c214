-- Revokes the token of a name.
-- binds: name
-- index: tokens_name
update runlog.tokens set revoked_at = clock_timestamp() where name = $1 and revoked_at is null
