-- Looks through a stretch of the runs for those that live, or ended since an instant.
-- binds: after which run, the instant, rows looked at
-- index: runs_pkey
with stretch as materialized (
    select id, status, finished_at from runlog.runs where id > $1 order by id limit $3
)
select array(
           select id from stretch where status in ('QUEUED', 'RUNNING') or finished_at >= $2 order by id
       ) as "runs!",
       (select id from stretch order by id desc limit 1) as last,
       (select count(*) from stretch) as "looked!"
