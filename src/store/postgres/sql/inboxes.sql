-- Reads the messages that wait for runs, oldest first.
-- binds: runs
-- index: inbox_run
select run_id, id, body, sent_at from runlog.inbox where run_id = any($1::uuid[]) order by run_id, id
