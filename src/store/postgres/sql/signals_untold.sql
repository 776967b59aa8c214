-- Lists new signals that their senders have not settled for a second: they died, or their answer was lost. Nothing, as a
-- rule: one look into an empty index.
-- binds: at most
-- index: signals_new
select s.id
from runlog.signals s
where s.state = 'NEW' and s.sent_at < clock_timestamp() - interval '1 s'
order by s.id
limit $1
