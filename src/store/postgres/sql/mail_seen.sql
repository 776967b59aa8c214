-- Reads how many messages were ever sent to runs; before their inboxes, so that it counts no message those lack.
-- binds: runs
-- index: runs_pkey
select id, mail from runlog.runs where id = any($1::uuid[]) order by id
