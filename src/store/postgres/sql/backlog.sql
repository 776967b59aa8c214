-- Measures what is not exported yet.
-- binds: rows looked at
-- index: none, the outbox is looked through
select count(*) as "commits!", min(o.at) as oldest, clock_timestamp() as "now!",
       (select until from runlog.outbox_open) as open_until,
       (select e.sweep_since is not null from runlog.exporter e) as "sweeps!",
       (select e.refused from runlog.exporter e) as "refused!",
       (select e.held_by from runlog.exporter e where e.held_until >= clock_timestamp()) as held_by,
       (select e.held_until from runlog.exporter e where e.held_until >= clock_timestamp()) as held_until
from (select at from runlog.outbox limit $1) o
