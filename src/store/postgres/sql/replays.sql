-- Lists the runs that replay a run, oldest first.
-- binds: run, rows at most
-- index: runs_replay_of
select id, namespace, workflow, version, key, status::text as "status!", priority, owner, wake_at, deadline_at,
       started_at, finished_at, parent, mail, claimed_at, claims, deaths
from runlog.runs
where replay_of = $1
order by id
limit $2
