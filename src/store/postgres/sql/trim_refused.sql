-- Forgets refused spans but the last.
-- binds: how many are kept
-- index: refused_spans_pkey
delete from runlog.refused_spans
where id <= (select id from runlog.refused_spans order by id desc offset $1 limit 1)
