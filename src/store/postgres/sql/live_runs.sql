-- Counts the live runs: those that a node holds, those that are due or will be, and those that wait for a message; and
-- says how long ago the first one fell due that no node took.
-- index: runs_owner, runs_dispatch, runs_parked
select (select count(*) from runlog.runs where owner is not null) as "held!",
       (select count(*) from runlog.runs where wake_at is not null and status = 'QUEUED') as "queued!",
       (select count(*) from runlog.runs where wake_at is not null and status = 'RUNNING') as "scheduled!",
       (select count(*) from runlog.runs where status = 'RUNNING' and owner is null and wake_at is null) as "parked!",
       (select coalesce(floor(extract(epoch from clock_timestamp() - min(wake_at)) * 1000000), 0)::int8 from runlog.runs
        where wake_at is not null and wake_at <= clock_timestamp()) as "lag_us!"
