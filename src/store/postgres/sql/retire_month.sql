-- Drops one month of the log: the oldest that ended before the month before this one and longer ago than runs are kept out
-- of the archive. See runlog.retire_month.
-- binds: events of runs that are not archived at most, how long it may wait for its turn
-- index: runs_pkey, events_pkey
select runlog.retire_month(
    least(
        (date_trunc('month', clock_timestamp() at time zone 'utc') - interval '1 month') at time zone 'utc',
        clock_timestamp() - coalesce(
            (select archive_after from runlog.retention where namespace = '' and workflow = ''), min(archive_after)
        )
    ),
    $1, $2
)
from runlog.retention
having min(archive_after) is not null
