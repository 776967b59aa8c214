-- Writes lines; those that are there already stay.
-- binds: runs, places, times, nodes, tasks, attempts, steps, claims, levels, targets, messages, fields, dropped
-- index: log_lines_pkey (run_id, n)
insert into runlog.log_lines
    (run_id, n, at, node, task, attempt, step, claims, level, target, message, fields, dropped)
select run_id, n, at, node, task, attempt, step, claims, level::runlog.log_level, target, message, fields, dropped
from unnest(
    $1::uuid[], $2::bigint[], $3::timestamptz[], $4::int[], $5::text[], $6::int[], $7::text[], $8::int[], $9::text[],
    $10::text[], $11::text[], $12::text[], $13::int[]
) as l (run_id, n, at, node, task, attempt, step, claims, level, target, message, fields, dropped)
on conflict (run_id, n) do nothing
