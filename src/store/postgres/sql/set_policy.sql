-- Sets a retention policy.
-- binds: namespace and workflow (empty = all of them), archive after, delete after
-- index: retention_pkey
insert into runlog.retention (namespace, workflow, archive_after, delete_after)
values ($1, $2, $3, $4)
on conflict (namespace, workflow) do update
set archive_after = excluded.archive_after, delete_after = excluded.delete_after, set_at = clock_timestamp()
