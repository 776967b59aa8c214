-- Notes that a token is in use.
-- binds: token
-- index: tokens_pkey
update runlog.tokens set used_at = clock_timestamp() where id = $1
