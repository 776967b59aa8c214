-- Puts a new signal into the inboxes of runs that wait for it, each at most once: `told` is the gate, for the snapshot may
-- be older than the signal's lock. Who is busy (a run's rows are locked, by its own append) is left for the next call, so
-- that this waits for nobody while it holds rows of runs.
-- binds: signal, runs at most
-- index: signals_pkey, signal_waits_open, runs_pkey, signals_told_pkey
with signal as materialized (
    select s.id, s.namespace, s.name, s.key, s.body
    from runlog.signals s
    where s.id = $1 and s.state = 'NEW'
    for update
),
wanted as materialized (
    select w.run_id
    from signal s
    join runlog.signal_waits w on w.namespace = s.namespace and w.name = s.name and w.key = s.key and w.waits > 0
    join runlog.runs r on r.id = w.run_id and r.status in ('QUEUED', 'RUNNING')
    where not exists (select from runlog.signals_told t where t.signal = s.id and t.run_id = w.run_id)
    order by w.run_id
    limit $2
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
-- In the signal's row, whose newest version whoever settles it sees, whatever its snapshot.
noted as (
    update runlog.signals s set runs = s.runs + (select count(*)::int from told)
    where s.id = (select id from signal) and exists (select from told)
)
select run_id as "run_id!" from told
