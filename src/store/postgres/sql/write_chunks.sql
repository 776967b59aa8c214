-- Puts chunks at the ends of their streams, in the order given; those that were sent before stay where they are. Answers for
-- each with its place, which may be past the limit (it is not written then), whether it was there, and, for the first of a
-- source that was there, how many of that source are, if none is missing among them.
-- binds: runs, streams, tasks, attempts, steps, sources, places in the source, payloads, chunks of a stream at most
-- index: chunks_pkey (run_id, stream, n), chunks_are_sent_once (run_id, stream, task, attempt, source, k)
with given as materialized (
    select g.*, c.n as known
    from unnest(
        $1::uuid[], $2::text[], $3::text[], $4::int[], $5::text[], $6::bigint[], $7::int[], $8::text[]
    ) with ordinality as g (run_id, stream, task, attempt, step, source, k, data, place)
    left join runlog.chunks c using (run_id, stream, task, attempt, source, k)
), fresh as materialized (
    select g.*, coalesce(l.last, 0) + row_number() over (partition by g.run_id, g.stream order by g.place) as n
    from given g
    left join lateral (
        select max(c.n) as last from runlog.chunks c where c.run_id = g.run_id and c.stream = g.stream
    ) l on true
    where g.known is null
), written as (
    insert into runlog.chunks (run_id, stream, n, task, attempt, step, source, k, data)
    select run_id, stream, n::int, task, attempt, step, source, k, data from fresh where n <= $9
)
select coalesce(g.known, f.n)::bigint as n,
    (g.known is not null) as "known!",
    case when g.known is not null and g.k = 0 then (
        select case when count(*) = max(c.k) + 1 then count(*) else 0 end
        from runlog.chunks c
        where (c.run_id, c.stream, c.task, c.attempt, c.source) = (g.run_id, g.stream, g.task, g.attempt, g.source)
    ) else 0 end as "sent!"
from given g left join fresh f using (place)
order by g.place
