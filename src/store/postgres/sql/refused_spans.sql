-- Lists refused spans, the last first.
-- binds: rows at most
-- index: refused_spans_pkey
select at, run_id, trace_id, span_id, name, reason from runlog.refused_spans order by id desc limit $1
