-- Moves ended runs into the archive, each whole: row, log, snapshot. Due is who ended longer ago than its policy says and has
-- no live parent: a parent's code may still ask for its children; nor does it count for a rate any more. A log with a hole
-- stays where it is, for a person to see.
-- binds: after which run, before which run (none created later can be due), runs to look at, events at most (of more than
-- one run), bytes of a part of a log
-- index: runs_pkey, events_pkey, retention_pkey, snapshots_pkey, limits_pkey
with looked as materialized (
    select r.id, r.namespace, r.workflow, r.status, r.finished_at, r.parent, r.let_in_at
    from runlog.runs r
    where r.id > $1 and r.id < $2
    order by r.id
    limit $3
),
due as materialized (
    select d.id, sum(d.events) over (order by d.id) - d.events as before
    from (
        select l.id, last.seq as events
        from looked l
        cross join lateral (
            select p.archive_after
            from runlog.retention p
            where p.namespace in (l.namespace, '') and p.workflow in (l.workflow, '')
            order by p.namespace desc, p.workflow desc
            limit 1
        ) policy
        cross join lateral (
            select e.seq from runlog.events e where e.run_id = l.id order by e.seq desc limit 1
        ) last
        where l.status not in ('QUEUED', 'RUNNING')
          and l.finished_at <= clock_timestamp() - policy.archive_after
          -- It counts for a rate.
          and not exists (
              select from runlog.limits rate
              where rate.workflow = l.workflow and l.let_in_at > clock_timestamp() - rate.window_ms * interval '1 ms'
          )
          and (
              l.parent is null
              or (select p.status from runlog.runs p where p.id = l.parent) in ('QUEUED', 'RUNNING') is not true
          )
    ) d
),
-- One look by primary key for each, whatever the planner thinks of the tables.
taken as materialized (
    select r.id
    from due d
    cross join lateral (
        select r.id
        from runlog.runs r
        where r.id = d.id and r.status not in ('QUEUED', 'RUNNING')
        for update skip locked
    ) r
    where d.before < $4
),
line as (
    select e.run_id, e.seq,
           sum(octet_length(e.payload)) over (partition by e.run_id order by e.seq) / $5::int as part,
           row_to_json((
               select l
               from (
                   select e.seq, e.kind, e.schema_version,
                          to_char(e.time at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as time,
                          e.node, e.task, e.attempt, e.payload
               ) l
           ))::text as line
    from taken
    -- The inner order keeps the planner from joining: each log is one stretch of one partition's index.
    cross join lateral (select * from runlog.events l where l.run_id = taken.id order by l.seq) e
),
part as materialized (
    select run_id, min(seq) as first_seq, max(seq) as last_seq, count(*) as events,
           string_agg(line, E'\n' order by seq) as log
    from line
    group by run_id, part
),
whole as materialized (
    select run_id, sum(events)::int as events
    from part
    group by run_id
    having min(first_seq) = 1 and max(last_seq) = sum(events)
),
moved as (
    delete from runlog.runs r where r.id = any(array(select run_id from whole)) returning r.*
),
first as (
    insert into runlog.archived_runs (id, namespace, workflow, version, key, status, priority, created_at, started_at,
                                      finished_at, claims, mail, parent, metadata, trigger, trigger_id, trigger_key, replay_of, node, failed_task, error_kind, error_message,
                                      error_location, fingerprint, caused_by, events, log)
    select m.id, m.namespace, m.workflow, m.version, m.key, m.status, m.priority, m.created_at, m.started_at,
           m.finished_at, m.claims, m.mail, m.parent, m.metadata, m.trigger, m.trigger_id, m.trigger_key, m.replay_of, m.node, m.failed_task,
           m.error_kind, m.error_message, m.error_location, m.fingerprint, m.caused_by, w.events,
           -- Rows below 2 kB are not compressed; blanks compress to nothing.
           rpad(p.log, greatest(length(p.log), 2048))
    from moved m
    join whole w on w.run_id = m.id
    join part p on p.run_id = m.id and p.first_seq = 1
),
rest as (
    insert into runlog.archived_parts (run_id, first_seq, last_seq, log)
    select p.run_id, p.first_seq, p.last_seq, p.log
    from part p join whole w on w.run_id = p.run_id
    where p.first_seq > 1
),
folded as (
    delete from runlog.snapshots s where s.run_id = any(array(select run_id from whole))
)
select array(select id from moved) as "archived!",
       -- Where the next look begins; null when there is nothing more.
       case
           when exists (select from due where before >= $4)
               then (select id from due where before < $4 order by id desc limit 1)
           else (select id from looked order by id desc limit 1)
       end as next
