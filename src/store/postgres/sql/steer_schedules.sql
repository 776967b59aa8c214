-- Changes when schedules are due, those that nobody changed since they were read. Answers with them.
-- binds: ids, revisions, next_ats, once_ats (null = as it is), who pauses them (null = they are not paused)
-- index: schedules_pkey
update runlog.schedules s
set next_at = x.next_at,
    once_at = coalesce(x.once_at, s.once_at),
    paused_at = case when x.paused_by is not null then coalesce(s.paused_at, clock_timestamp()) end,
    paused_by = case when x.paused_by is not null then coalesce(s.paused_by, x.paused_by) end,
    wake_at = case when x.paused_by is null then x.next_at end,
    updated_at = clock_timestamp(),
    revision = s.revision + 1,
    failure = null,
    failures = 0,
    ended_at = case when x.next_at is null then coalesce(s.ended_at, clock_timestamp()) end
from unnest($1::bigint[], $2::int[], $3::timestamptz[], $4::timestamptz[], $5::text[])
    as x (id, revision, next_at, once_at, paused_by)
where s.id = x.id and s.revision = x.revision
returning s.id
