-- Lists the runs that a node owns, as it must know after a claim whose answer was lost.
-- binds: node
-- index: runs_owner
select id from runlog.runs where owner = $1 order by id
