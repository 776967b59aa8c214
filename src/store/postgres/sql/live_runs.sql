-- Counts the live runs: those that a node holds, those that are due or will be, and those that wait for a message.
-- index: runs_owner, runs_dispatch, runs_parked
select (select count(*) from runlog.runs where owner is not null) as "held!",
       (select count(*) from runlog.runs where wake_at is not null and status = 'QUEUED') as "queued!",
       (select count(*) from runlog.runs where wake_at is not null and status = 'RUNNING') as "scheduled!",
       (select count(*) from runlog.runs where status = 'RUNNING' and owner is null and wake_at is null) as "parked!"
