-- Reads lines of a run after a place, in order.
-- binds: run, place, task or null, attempt or null, the least level, limit
-- index: log_lines_pkey (run_id, n)
select n, at, node, task, attempt, step, claims, level::text as "level!", target, message, fields, dropped
from runlog.log_lines
where run_id = $1 and n > $2
    and ($3::text is null or task = $3)
    and ($4::int is null or attempt = $4)
    and level >= ($5::text)::runlog.log_level
order by n
limit $6
