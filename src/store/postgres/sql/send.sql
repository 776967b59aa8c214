-- Puts a message into a live run's inbox; an unowned run becomes due.
-- binds: run, body
-- index: runs_pkey
with target as materialized (
    select r.id, r.status, r.owner, r.status in ('QUEUED', 'RUNNING') as live
    from runlog.runs r
    where r.id = $1
    for no key update
),
accepted as (
    insert into runlog.inbox (run_id, body, sent_at)
    select id, $2, clock_timestamp() from target where live
    returning id, sent_at
),
counted as (
    update runlog.runs r
    set mail = r.mail + 1, wake_at = case when r.owner is null then least(r.wake_at, a.sent_at) end
    from target t cross join accepted a
    where r.id = t.id and t.live
)
select t.status::text as "status!", t.owner, (select id from accepted) as message from target t
