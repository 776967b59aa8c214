-- Keeps answers of a bulk action and its worker's lease; no row when another worker has it.
-- binds: id, holder, how long that holds, runs, their outcomes, their details, the new runs
-- index: bulk_pkey, bulk_items_open
with mine as (
    update runlog.bulk b
    set busy_until = clock_timestamp() + $3::interval,
        done = b.done + (select count(*) from unnest($5::text[]) o where o = 'ok'),
        refused = b.refused + (select count(*) from unnest($5::text[]) o where o <> 'ok')
    where b.id = $1 and b.holder = $2 and b.finished_at is null
    returning b.id
), kept as (
    update runlog.bulk_items i
    set outcome = a.outcome, detail = a.detail, new_run = a.new_run
    from unnest($4::uuid[], $5::text[], $6::text[], $7::uuid[]) as a (run, outcome, detail, new_run)
    cross join mine
    where i.bulk = mine.id and i.run_id = a.run and i.outcome is null
)
select id from mine
