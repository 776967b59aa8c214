-- Finds a workflow whose recorded shape is another; must follow register as a statement of its own.
-- binds: names, versions, shapes
-- index: workflows_pkey
select w.name, w.version
from unnest($1::text[], $2::text[], $3::text[]) as s (name, version, shape)
join runlog.workflows w on w.name = s.name and w.version = s.version
where w.shape <> s.shape
order by w.name, w.version
limit 1
