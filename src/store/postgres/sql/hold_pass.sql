-- Keeps a retention pass, and adds to what it did; last in the transaction of each of its steps. No row: somebody else has it.
-- binds: the process's token, for how long it has the pass, runs archived, runs deleted, months dropped
-- index: retention_pass_pkey
update runlog.retention_pass
set held_until = clock_timestamp() + $2::interval,
    archived = archived + $3, archived_ever = archived_ever + $3,
    deleted = deleted + $4, deleted_ever = deleted_ever + $4,
    months = months || $5::text[]
where holder = $1 and held_until >= clock_timestamp()
