-- Keeps schedules: new ones, and, if they are to be replaced, those that differ from what is there. Answers with those that
-- were written.
-- binds: namespaces, names, workflows, crons, zones, once_ats, inputs, metadata, priorities, misfires, declared, next_ats, by;
-- replace
-- index: schedules_namespace_name_key
insert into runlog.schedules as s (namespace, name, workflow, cron, zone, once_at, input, metadata, priority, misfire,
                                   declared, created_by, next_at, wake_at)
select n.namespace, n.name, n.workflow, n.cron, n.zone, n.once_at, n.input, n.metadata::jsonb, n.priority, n.misfire,
       n.declared, n.by, n.next_at, n.next_at
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[],
            $9::smallint[], $10::text[], $11::boolean[], $12::timestamptz[], $13::text[])
    as n (namespace, name, workflow, cron, zone, once_at, input, metadata, priority, misfire, declared, next_at, by)
-- Always in this order, so that two nodes that start at once never wait for each other in a circle.
order by n.namespace, n.name
on conflict (namespace, name) do update
set workflow = excluded.workflow, cron = excluded.cron, zone = excluded.zone, once_at = excluded.once_at,
    input = excluded.input, metadata = excluded.metadata, priority = excluded.priority, misfire = excluded.misfire,
    declared = excluded.declared, created_by = excluded.created_by, updated_at = clock_timestamp(),
    next_at = excluded.next_at, wake_at = case when s.paused_at is null then excluded.next_at end,
    revision = s.revision + 1, failure = null, failures = 0, ended_at = null
where $14::boolean
  and (s.workflow, s.cron, s.zone, s.once_at, s.input, s.metadata, s.priority, s.misfire, s.declared)
      is distinct from
      (excluded.workflow, excluded.cron, excluded.zone, excluded.once_at, excluded.input, excluded.metadata,
       excluded.priority, excluded.misfire, excluded.declared)
returning namespace as "namespace!", name as "name!", (revision = 1) as "created!"
