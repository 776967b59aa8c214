-- Reads lines of a run between two places, in order.
-- binds: run, the place before, task or null, attempt or null, the least level, limit, the place after
-- index: log_lines_pkey (run_id, n)
select n, at, node, task, attempt, step, claims, level::text as "level!", target, message, fields, dropped
from runlog.log_lines
where run_id = $1 and n > $2 and n < $7
    and ($3::text is null or task = $3)
    and ($4::int is null or attempt = $4)
    and level >= ($5::text)::runlog.log_level
order by n
limit $6
