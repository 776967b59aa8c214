-- Says what kind of server this is, and whether a migration was ever run here.
-- binds: none
-- index: none
select current_setting('server_version') as "version!",
       current_setting('server_version_num')::int as "version_number!",
       current_database()::text as "database!",
       pg_is_in_recovery() or current_setting('transaction_read_only') = 'on' as "read_only!",
       to_regclass('runlog.migrations') is not null as "migrated!"
