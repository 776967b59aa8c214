-- Deletes schedules with what is known of their occurrences; their runs stay.
-- binds: namespace, names
-- index: schedules_namespace_name_key, occurrences_pkey
delete from runlog.schedules
where namespace = $1 and name = any($2)
returning name
