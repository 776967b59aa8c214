-- Finds a signal by the sender's id for it, and says whether it is the same one.
-- binds: namespace, the sender's id, body
-- index: signals_namespace_sent_as_key
select s.id, s.body_hash = sha256(convert_to($3, 'UTF8')) as "same!"
from runlog.signals s
where s.namespace = $1 and s.sent_as = $2
