-- Makes the log's partitions for the months to come; cheap when they exist.
-- binds: months ahead
-- index: none
select runlog.ensure_partitions($1)
