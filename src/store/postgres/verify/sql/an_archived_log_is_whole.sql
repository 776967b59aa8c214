-- An archived log counts its events 1, 2, 3, … from run_created to the end that the run's row says, and every part of it
-- belongs to a run.
-- binds: first run, last run, now, grace
-- index: archived_runs_pkey, archived_parts_pkey
with part as (
    select id, log from runlog.archived_runs where id between $1 and $2
    union all
    select run_id, log from runlog.archived_parts where run_id between $1 and $2
),
line as (
    select part.id, substring(l.line from '^{"seq":(\d+),')::int as seq, substring(l.line from '"kind":"([a-z_]+)"') as kind
    from part
    cross join lateral string_to_table(rtrim(part.log), E'\n') as l (line)
),
log as (
    select id, count(distinct seq) as events, min(seq) as first_seq, max(seq) as last_seq,
           (array_agg(kind order by seq))[1] as begins, (array_agg(kind order by seq desc))[1] as ends
    from line
    group by id
)
select a.id as run,
       array[]::int[] as seqs,
       format('the run is %s with %s events, its archived log holds %s, from %s to %s', a.status, a.events,
              coalesce(log.events, 0), coalesce(log.begins, 'nothing'), coalesce(log.ends, 'nothing')) as detail
from runlog.archived_runs a
left join log on log.id = a.id
where a.id between $1 and $2
  and (log.events, log.first_seq, log.last_seq, log.begins, log.ends)
      is distinct from (a.events::bigint, 1, a.events, 'run_created', 'run_' || lower(a.status::text))
union all
select p.run_id, array[p.first_seq, p.last_seq], 'a part of an archived log belongs to no archived run'
from runlog.archived_parts p
where p.run_id between $1 and $2 and not exists (select from runlog.archived_runs a where a.id = p.run_id)
order by run
