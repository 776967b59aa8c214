-- Tells the nodes that listen what may concern them; a hint, which may be lost.
-- binds: messages
-- index: none
select pg_notify('runlog', message) from unnest($1::text[]) as m (message)
