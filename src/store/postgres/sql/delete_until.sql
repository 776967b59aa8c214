-- Says which archived runs are too young to be deleted by any policy: those from this id on. Null: no policy deletes.
-- binds: none
-- index: none
select runlog.first_id(clock_timestamp() - min(delete_after)) from runlog.retention
