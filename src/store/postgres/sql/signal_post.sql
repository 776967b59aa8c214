-- Accepts a signal by key, unless as many are kept already as may be and no run waits for this one.
-- binds: namespace, the sender's id for it, name, key, body, kept of a key at most, kept of a namespace at most
-- index: signals_namespace_sent_as_key, signals_open, signal_waits_open
insert into runlog.signals (namespace, sent_as, name, key, body, body_hash)
select $1, $2, $3, $4, $5, sha256(convert_to($5, 'UTF8'))
where exists (select from runlog.signals s where s.namespace = $1 and s.sent_as = $2)
   or exists (
       select from runlog.signal_waits w where w.namespace = $1 and w.name = $3 and w.key = $4 and w.waits > 0
   )
   or (
       select count(*)
       from (
           select from runlog.signals s
           where s.namespace = $1 and s.name = $3 and s.key = $4 and s.state in ('NEW', 'KEPT')
           limit $6
       ) of_key
   ) < $6
   and (
       select count(*)
       from (select from runlog.signals s where s.namespace = $1 and s.state in ('NEW', 'KEPT') limit $7) of_all
   ) < $7
on conflict (namespace, sent_as) do nothing
