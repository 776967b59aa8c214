-- Notes the transactions under way in this database, which may have begun before the outbox was open: in their snapshots it is
-- closed. One that has no id yet has a virtual one.
-- binds: the process's token
-- index: exporter_pkey
update runlog.exporter
set sweep_waits = array(
    select l.virtualtransaction
    from pg_locks l
    join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'virtualxid' and l.pid <> pg_backend_pid()
      and a.datid = (select d.oid from pg_database d where d.datname = current_database())
      and coalesce(a.backend_type, 'client backend') = 'client backend'
    union all
    select 'prepared ' || p.gid from pg_prepared_xacts p where p.database = current_database()
)
where holder = $1 and sweep_since is not null and sweep_waits is null
