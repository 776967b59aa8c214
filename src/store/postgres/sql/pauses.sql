-- Lists the paused workflows, those of one namespace or all.
-- binds: a namespace, or null for all; rows at most
-- index: pauses_pkey
select workflow, namespace, since, who, reason
from runlog.pauses
where $1::text is null or namespace = $1
order by workflow, namespace
limit $2
