-- Counts the lines of a run by level.
-- binds: run, task or null, attempt or null
-- index: log_lines_pkey (run_id, n)
select level::text as "level!", count(*) as "lines!"
from runlog.log_lines
where run_id = $1 and ($2::text is null or task = $2) and ($3::int is null or attempt = $3)
group by level
