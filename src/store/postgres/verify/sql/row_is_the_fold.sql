-- A run's row repeats what its log says: what it was created with, and when it started and ended.
-- binds: first run, last run, now, grace
-- index: events_pkey, runs_pkey
with origin as (
    select run_id, payload::json as payload
    from runlog.events
    where run_id between $1 and $2 and seq = 1 and kind = 'run_created'
),
life as (
    select run_id,
           min(seq) filter (where kind = 'run_started') as started_seq,
           min(time) filter (where kind = 'run_started') as started_at,
           min(seq) filter (where kind <> 'run_started') as finished_seq,
           min(time) filter (where kind <> 'run_started') as finished_at
    from runlog.events
    where run_id between $1 and $2
      and kind in ('run_started', 'run_succeeded', 'run_failed', 'run_cancelled', 'run_timed_out')
    group by run_id
)
select r.id as run, array_remove(array[1, life.started_seq, life.finished_seq], null) as seqs, differs.detail
from runlog.runs r
join origin o on o.run_id = r.id
left join life on life.run_id = r.id
cross join lateral (
    select string_agg(format('the row''s %s is not the log''s', name), ', ') as detail
    from (
        values
            ('workflow', r.workflow is distinct from o.payload ->> 'workflow'),
            ('version', r.version is distinct from o.payload ->> 'version'),
            ('namespace', r.namespace is distinct from o.payload ->> 'namespace'),
            ('key', r.key is distinct from o.payload ->> 'key'),
            ('priority', r.priority is distinct from coalesce((o.payload ->> 'priority')::smallint, 0::smallint)),
            ('parent', r.parent is distinct from (o.payload #>> '{parent,run}')::uuid),
            -- Not written by releases without replays.
            ('replay_of', r.replay_of <> coalesce((o.payload #>> '{trigger,replay,of}')::uuid, r.id)),
            (
                'metadata',
                coalesce(r.metadata, '{}') is distinct from coalesce((o.payload -> 'metadata')::jsonb, '{}')
            ),
            ('started_at', r.started_at is distinct from life.started_at),
            ('finished_at', r.finished_at is distinct from life.finished_at)
    ) as columns (name, differs)
    where differs
) differs
where r.id between $1 and $2 and differs.detail is not null
order by r.id
