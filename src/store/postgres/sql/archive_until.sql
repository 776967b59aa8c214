-- Says which runs are too young to be archived by any policy: those from this id on. Null: no policy archives.
-- binds: none
-- index: none
select runlog.first_id(clock_timestamp() - min(archive_after)) from runlog.retention
