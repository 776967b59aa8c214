-- Group commit: many runs' appends under the fence, all or none. No row in `me`: the node is dead, nothing is written.
-- A commit with a keyed birth names it in `birth` of all its rows; if its key is taken, by an archived run, too, they are
-- left out.
-- binds: node, lane, runs to lock in the order of their ids (none unless there is mail); births: id, namespace, workflow,
-- version, key, status, owned, priority, wake_at, deadline_at, created_at, parent, metadata, mail, birth;
-- events: run, seq, kind, schema_version, task, attempt, payload, birth; changed rows: id, status, ended, deadline_at,
-- asks (for its release), wake_at, mail_seen, claims, birth; mail: recipient, body, birth; taken inbox rows; the
-- fence's token; births again: trigger, trigger_id, trigger_key, replay_of; changed rows again: failed_task, error_kind,
-- error_message, error_location, fingerprint, caused_by; births again: limit_key; signals by key ($52 to $56): run,
-- namespace, name, key, how many more it waits for.
-- index: leases_pkey, runs_pkey, runs_keyed, archived_runs_key, events_pkey, inbox_pkey, outbox_pkey, signal_waits_pkey
-- Its lock_timeout, set for this statement alone, lets a heartbeat in between two tries while an open transaction of
-- somebody else holds a key: this waits for that transaction with the fence row locked.
with me as materialized (
    select node, now
    from (
        select l.node, l.lease_until, clock_timestamp() as now, set_config('lock_timeout', '2s', true)
        from runlog.leases l
        where l.node = $1 and l.lane = $2 and not l.dead and l.lease_until > clock_timestamp()
          and l.token = $40 and l.timeline = runlog.timeline()
        for share
    ) fence
    -- Once more, for the very instant that is recorded.
    where now < lease_until
),
locked as materialized (
    select r.id from runlog.runs r where r.id = any($3::uuid[]) order by r.id for no key update
),
b as materialized (
    select *
    from unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::boolean[],
                $11::smallint[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::uuid[], $16::text[],
                $17::int[], $18::uuid[], $41::text[], $42::text[], $43::text[], $44::uuid[], $51::text[])
        as b (id, namespace, workflow, version, key, status, owned, priority, wake_at, deadline_at, created_at, parent,
              metadata, mail, birth, trigger, trigger_id, trigger_key, replay_of, limit_key)
),
keyed as (
    insert into runlog.runs (id, namespace, workflow, version, key, status, priority, owner, wake_at, deadline_at,
                             created_at, started_at, claimed_at, mail, parent, metadata, trigger, trigger_id,
                             trigger_key, replay_of, limit_key)
    select b.id, b.namespace, b.workflow, b.version, b.key, b.status::runlog.run_status, b.priority,
           case when b.owned then me.node end, b.wake_at, b.deadline_at, b.created_at,
           case when b.status = 'RUNNING' then me.now end, case when b.owned then me.now end, b.mail, b.parent,
           b.metadata::jsonb, b.trigger, b.trigger_id, b.trigger_key, b.replay_of,
           b.limit_key
    from b cross join me
    where b.key is not null
      -- A look for each, whatever the planner thinks of the table. See runlog.refuse_archived_key.
      and (
          select a.id
          from runlog.archived_runs a
          where a.namespace = b.namespace and a.workflow = b.workflow and a.key = b.key and not a.imported
          limit 1
      ) is null
    on conflict do nothing
    returning id
),
plain as (
    insert into runlog.runs (id, namespace, workflow, version, key, status, priority, owner, wake_at, deadline_at,
                             created_at, started_at, claimed_at, mail, parent, metadata, trigger, trigger_id,
                             trigger_key, replay_of, limit_key)
    select b.id, b.namespace, b.workflow, b.version, b.key, b.status::runlog.run_status, b.priority,
           case when b.owned then me.node end, b.wake_at, b.deadline_at, b.created_at,
           case when b.status = 'RUNNING' then me.now end, case when b.owned then me.now end, b.mail, b.parent,
           b.metadata::jsonb, b.trigger, b.trigger_id, b.trigger_key, b.replay_of,
           b.limit_key
    from b cross join me
    where b.key is null and (b.birth is null or b.birth in (select id from keyed))
    returning id
),
ev as (
    insert into runlog.events (run_id, seq, kind, schema_version, time, node, task, attempt, payload)
    select e.run_id, e.seq, e.kind, e.schema_version, me.now, me.node, e.task, e.attempt, e.payload
    from unnest($19::uuid[], $20::int[], $21::text[], $22::smallint[], $23::text[], $24::int[], $25::text[], $26::uuid[])
        as e (run_id, seq, kind, schema_version, task, attempt, payload, birth)
    cross join me
    where e.birth is null or e.birth in (select id from keyed)
    returning 1
),
m as materialized (
    select m.recipient, m.body
    from unnest($36::uuid[], $37::text[], $38::uuid[]) as m (recipient, body, birth)
    where m.birth is null or m.birth in (select id from keyed)
),
-- One row a run: what its owner changes, and how many messages come.
c as materialized (
    select coalesce(s.id, d.recipient) as id, s.status::runlog.run_status as status, s.ended, s.deadline_at,
           s.asks and d.n is null as asks, s.wake_at, s.mail_seen, s.claims, coalesce(d.n, 0) as mail,
           s.failed_task, s.error_kind, s.error_message, s.error_location, s.fingerprint, s.caused_by
    from (
        select *
        from unnest($27::uuid[], $28::text[], $29::boolean[], $30::timestamptz[], $31::boolean[], $32::timestamptz[],
                    $33::int[], $34::int[], $35::uuid[], $45::text[], $46::text[], $47::text[], $48::text[],
                    $49::text[], $50::uuid[])
            as s (id, status, ended, deadline_at, asks, wake_at, mail_seen, claims, birth, failed_task, error_kind,
                  error_message, error_location, fingerprint, caused_by)
        where s.birth is null or s.birth in (select id from keyed)
    ) s
    full join (select recipient, count(*)::int as n from m group by recipient) d on d.recipient = s.id
),
st as (
    update runlog.runs r
    set status = case when r.owner = me.node then coalesce(c.status, r.status) else r.status end,
        owner = case
            when r.owner is distinct from me.node or c.status is null then r.owner
            when c.ended or c.asks and r.mail = c.mail_seen and r.claims = c.claims then null
            else r.owner
        end,
        wake_at = case
            when r.owner is null then least(r.wake_at, me.now)
            when r.owner = me.node and not c.ended and c.asks and r.mail = c.mail_seen and r.claims = c.claims
                then c.wake_at
        end,
        deadline_at = case
            when r.owner is distinct from me.node or c.status is null then r.deadline_at
            when not c.ended then c.deadline_at
        end,
        started_at = case
            when r.owner = me.node and c.status = 'RUNNING' then coalesce(r.started_at, me.now)
            else r.started_at
        end,
        claimed_at = case
            when r.owner = me.node and (c.ended or c.asks and r.mail = c.mail_seen and r.claims = c.claims) then null
            else r.claimed_at
        end,
        finished_at = case when r.owner = me.node and c.ended then me.now else r.finished_at end,
        node = case when r.owner = me.node and c.ended then me.node end,
        failed_task = case when r.owner = me.node then c.failed_task end,
        error_kind = case when r.owner = me.node then c.error_kind end,
        error_message = case when r.owner = me.node then c.error_message end,
        error_location = case when r.owner = me.node then c.error_location end,
        fingerprint = case when r.owner = me.node then c.fingerprint end,
        caused_by = case when r.owner = me.node then c.caused_by end,
        deaths = case when r.owner = me.node and c.status is not null then 0 else r.deaths end,
        mail = r.mail + c.mail
    from c cross join me
    -- By their ids first: a plan that is used for long must not read the table.
    where r.id = any(array(select id from c)) and r.id = c.id
      and r.status in ('QUEUED', 'RUNNING')
      and (r.owner = me.node and c.status is not null or c.mail > 0)
      and (select count(*) from locked) >= 0
    returning r.id, r.status in ('QUEUED', 'RUNNING') as live, r.owner, r.claims
),
sent as (
    insert into runlog.inbox (run_id, body, sent_at)
    select m.recipient, m.body, me.now
    from m cross join me
    where m.recipient in (
        select id from st where live union all select id from keyed union all select id from plain
    )
),
taken as (
    delete from runlog.inbox i using me where i.id = any($39::bigint[])
),
-- For the exporter, while there is one; what was left out is not in the log, where it looks.
told as (
    insert into runlog.outbox (at, runs, seqs)
    select me.now, $19::uuid[], $20::int[]
    from me cross join runlog.outbox_open o
    where o.until > me.now and cardinality($20::int[]) > 0
),
-- Signals by key, binds $52 to $56. After the rows of runs, as whoever tells signals locks them.
awaited as (
    insert into runlog.signal_waits as w (run_id, namespace, name, key, waits, asked_at)
    select a.run_id, a.namespace, a.name, a.key, a.change, me.now
    from unnest($52::uuid[], $53::text[], $54::text[], $55::text[], $56::int[]) as a (run_id, namespace, name, key, change)
    cross join me
    where (select count(*) from st) >= 0
    order by a.run_id, a.name, a.key
    on conflict (run_id, name, key) do update set waits = w.waits + excluded.waits, asked_at = excluded.asked_at
)
select (select now from me) as now,
       (select count(*) from ev) as "events!",
       array(select id from keyed) as "born!",
       array(
           select st.id
           from unnest($27::uuid[], $31::boolean[], $34::int[]) as s (id, asks, claims)
           join st on st.id = s.id
           where s.asks and st.live and st.owner = $1 and st.claims = s.claims
       ) as "kept!"
