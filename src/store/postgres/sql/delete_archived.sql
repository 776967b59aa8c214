-- Deletes archived runs whose policy says so. Who was imported counts from then.
-- binds: after which run, before which run (none created later can be due), runs to look at
-- index: archived_runs_pkey, archived_parts_pkey, retention_pkey
with looked as materialized (
    select a.id, a.namespace, a.workflow, case when a.imported then a.archived_at else a.finished_at end as since
    from runlog.archived_runs a
    where a.id > $1 and a.id < $2
    order by a.id
    limit $3
),
due as materialized (
    select l.id
    from looked l
    cross join lateral (
        select p.delete_after
        from runlog.retention p
        where p.namespace in (l.namespace, '') and p.workflow in (l.workflow, '')
        order by p.namespace desc, p.workflow desc
        limit 1
    ) policy
    where l.since <= clock_timestamp() - policy.delete_after
),
gone as (
    delete from runlog.archived_runs a where a.id = any(array(select id from due)) returning a.id
),
parts as (
    delete from runlog.archived_parts p where p.run_id = any(array(select id from due))
)
select array(select id from gone) as "deleted!", (select id from looked order by id desc limit 1) as next
