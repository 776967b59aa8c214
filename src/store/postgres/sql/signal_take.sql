-- Gives a kept signal to one run that waits for it, unless the run's rows are locked at the moment.
-- binds: signal, run
-- index: signals_pkey, signal_waits_pkey, runs_pkey, signals_told_pkey
with signal as materialized (
    select s.id, s.name, s.key, s.body
    from runlog.signals s
    where s.id = $1 and s.state = 'KEPT'
    for update
),
wanted as materialized (
    select w.run_id
    from signal s
    join runlog.signal_waits w on w.run_id = $2 and w.name = s.name and w.key = s.key and w.waits > 0
    join runlog.runs r on r.id = w.run_id and r.status in ('QUEUED', 'RUNNING')
    for update of w, r skip locked
),
told as (
    insert into runlog.signals_told (signal, run_id)
    select s.id, wanted.run_id from signal s cross join wanted
    on conflict do nothing
    returning run_id
),
sent as (
    insert into runlog.inbox (run_id, body, sent_at)
    select told.run_id, s.body, clock_timestamp()
    from signal s cross join told
),
counted as (
    update runlog.runs r
    set mail = r.mail + 1, wake_at = case when r.owner is null then least(r.wake_at, clock_timestamp()) end
    from told
    where r.id = told.run_id
),
taken as (
    update runlog.signal_waits w
    set waits = w.waits - 1
    from signal s cross join told
    where w.run_id = told.run_id and w.name = s.name and w.key = s.key
),
noted as (
    update runlog.signals s
    set state = 'TOLD', body = null, runs = s.runs + 1
    where s.id = (select id from signal) and exists (select from told)
)
select count(*) as "taken!" from told
