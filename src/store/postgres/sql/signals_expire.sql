-- Removes signals that nobody took in time, what is left of delivered ones, and waits that are even.
-- binds: how long kept ones are kept, how long delivered ones are remembered, how many at most
-- index: signals_sent_at, signals_told_pkey
with old as materialized (
    select s.id
    from runlog.signals s
    where s.sent_at < clock_timestamp() - least($1::interval, $2::interval)
      and (
          s.state = 'KEPT' and s.sent_at < clock_timestamp() - $1::interval
          or s.state = 'TOLD' and s.sent_at < clock_timestamp() - $2::interval
      )
    order by s.sent_at
    limit $3
    for update skip locked
),
told as (
    delete from runlog.signals_told t where t.signal = any(array(select id from old))
),
gone as (
    delete from runlog.signals s where s.id = any(array(select id from old))
    returning s.id
),
even as (
    delete from runlog.signal_waits w
    where (w.run_id, w.name, w.key) in (
        select e.run_id, e.name, e.key from runlog.signal_waits e where e.waits = 0 limit $3 for update skip locked
    )
)
select count(*) as "gone!" from gone
