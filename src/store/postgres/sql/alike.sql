-- Counts the other runs of a run's namespace whose failure has the fingerprint of its own, the newest that are not archived,
-- and names the newest of them. No row unless the run has failed.
-- binds: run, runs counted at most, runs named at most
-- index: runs_pkey, archived_runs_pkey, then runs_fingerprint, backwards
select
    asked.fingerprint as "fingerprint!",
    alike.all as "all!",
    alike.day as "day!",
    alike.newest as "newest!"
from (
    select id, namespace, fingerprint from runlog.runs where id = $1 and fingerprint is not null
    union all
    select id, namespace, fingerprint from runlog.archived_runs where id = $1 and fingerprint is not null
) asked
cross join lateral (
    select
        count(*) as all,
        count(*) filter (where r.id >= (select runlog.first_id(now() - interval '24 hours'))) as day,
        coalesce((array_agg(r.id order by r.id desc))[1:$3], '{}') as newest
    from (
        select id
        from runlog.runs
        where namespace = asked.namespace and fingerprint = asked.fingerprint and id <> asked.id
        order by id desc
        limit $2
    ) r
) alike
