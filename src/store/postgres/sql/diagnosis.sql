-- Says how the server is set up, and how the engine stands in it.
-- binds: none
-- index: leases_pkey, runs_spaces, runs_due, runs_owner, events_default_pkey
select current_setting('server_version') as "version!",
       clock_timestamp() as "now!",
       current_setting('fsync') = 'on' and current_setting('full_page_writes') = 'on' as "survives_crashes!",
       current_setting('synchronous_commit') as "synchronous_commit!",
       current_setting('autovacuum') = 'on' as "autovacuum!",
       pg_is_in_recovery() as "is_replica!",
       current_setting('max_connections')::int as "connections_max!",
       (select count(*) from pg_stat_activity where backend_type = 'client backend') as "connections!",
       runlog.timeline() <> '' as "tells_timeline!",
       (select count(distinct node) from runlog.leases where not dead and lease_until > clock_timestamp()) as "nodes!",
       (select count(*) from (
           (
               select from runlog.runs where wake_at < clock_timestamp() - interval '30 s' and status = 'RUNNING' limit 1000
           )
           union all
           (
               select
               from runlog.runs r
               where r.wake_at < clock_timestamp() - interval '30 s' and r.status = 'QUEUED'
                 and not exists (
                     select from runlog.pauses p where p.workflow = r.workflow and p.namespace = r.namespace
                 )
               limit 1000
           )
       ) late) as "overdue!",
       (select count(*) from (select from runlog.events_default limit 1000) strays) as "strays!",
       to_regclass('runlog.events_y' || to_char(now() + interval '1 month', 'YYYY"m"MM')) is not null
           as "partitions_ahead!"
