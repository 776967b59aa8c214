-- Reads the last lines of a run between two places, in order, of the newest ones that are looked at.
-- binds: run, the place before, task or null, attempt or null, the least level, limit, the place after, how many are looked at
-- index: log_lines_pkey (run_id, n), backward
select n as "n!", at as "at!", node, task as "task!", attempt as "attempt!", step, claims as "claims!", level::text as "level!",
    target as "target!", message as "message!", fields, dropped as "dropped!"
from (
    select *
    from (select * from runlog.log_lines where run_id = $1 and n > $2 and n < $7 order by n desc limit $8) newest
    where ($3::text is null or task = $3)
        and ($4::int is null or attempt = $4)
        and level >= ($5::text)::runlog.log_level
    order by n desc
    limit $6
) last
order by n
