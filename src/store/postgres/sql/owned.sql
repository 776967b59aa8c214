-- Says which of some runs a node owns since a given claim.
-- binds: runs, how often each had been claimed, node
-- index: runs_pkey
select r.id
from unnest($1::uuid[], $2::int[]) as s (id, claims)
join runlog.runs r on r.id = s.id
where r.owner = $3 and r.claims = s.claims
