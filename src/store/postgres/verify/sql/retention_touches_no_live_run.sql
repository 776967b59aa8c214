-- What is in the archive is nowhere else, and no live run may still ask for it: retention touched no live run.
-- What SQL cannot know: whether a run that is gone was deleted before its time; but a live one's log is checked by
-- every_run_has_its_log.
-- binds: first run, last run, now, grace
-- index: archived_runs_pkey, runs_pkey, inbox_run
select a.id as run, array[]::int[] as seqs, format('the run is archived as %s, and still there as %s', a.status, r.status) as detail
from runlog.archived_runs a
join runlog.runs r on r.id = a.id
where a.id between $1 and $2
union all
select a.id, array[]::int[], format('the run is archived, and its parent %s is %s', p.id, p.status)
from runlog.archived_runs a
join runlog.runs p on p.id = a.parent
where a.id between $1 and $2 and not a.imported and p.status in ('QUEUED', 'RUNNING')
order by run
