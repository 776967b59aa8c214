-- Keeps a bulk action with its runs, in one statement; some of them are answered for already.
-- binds: id, who, namespace, action, options, filter, reason, rate, runs, their outcomes, their details
with kept as (
    insert into runlog.bulk (id, who, namespace, action, options, query, reason, rate, total, refused)
    values ($1, $2, $3, $4, $5, $6, $7, $8, cardinality($9::uuid[]),
            (select count(*) from unnest($10::text[]) o where o is not null and o <> 'ok'))
)
insert into runlog.bulk_items (bulk, place, run_id, outcome, detail)
select $1, i.place, i.run, i.outcome, i.detail
from unnest($9::uuid[], $10::text[], $11::text[]) with ordinality as i (run, outcome, detail, place)
