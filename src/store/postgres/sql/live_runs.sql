-- Counts the live runs: those that a node holds, those that are due or will be, and those that wait for a message; and
-- says how long ago the first one fell due that no node took.
-- A run of a paused workflow is not late: nobody is to take it.
-- index: runs_owner, runs_spaces, runs_due, runs_parked, runs_gated, pauses_pkey
select (select count(*) from runlog.runs where owner is not null) as "held!",
       (select count(*) from runlog.runs where wake_at is not null and status = 'QUEUED')
           + (select count(*) from runlog.runs where gate_at is not null and owner is null) as "queued!",
       (select count(*) from runlog.runs where wake_at is not null and status = 'RUNNING') as "scheduled!",
       (select count(*) from runlog.runs where status = 'RUNNING' and owner is null and wake_at is null) as "parked!",
       coalesce(floor(extract(epoch from clock_timestamp() - least(
           (select min(wake_at) from runlog.runs where status = 'RUNNING' and wake_at <= clock_timestamp()),
           (
               select min(r.wake_at)
               from runlog.runs r
               where r.status = 'QUEUED' and r.wake_at <= clock_timestamp()
                 and not exists (
                     select from runlog.pauses p where p.workflow = r.workflow and p.namespace = r.namespace
                 )
           )
       )) * 1000000), 0)::int8 as "lag_us!"
