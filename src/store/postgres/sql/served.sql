-- Lists what nodes serve.
-- binds: nodes
-- index: none, the table has a row per living node and workflow
select node, workflow, version, slots
from runlog.served
where node = any($1::int[])
order by node, workflow, version
