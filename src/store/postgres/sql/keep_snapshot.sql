-- Keeps a snapshot unless a newer one is there.
-- binds: run, seq, format, bytes
-- index: snapshots_pkey
insert into runlog.snapshots as s (run_id, seq, format, bytes)
values ($1, $2, $3, $4)
on conflict (run_id) do update set seq = excluded.seq, format = excluded.format, bytes = excluded.bytes
where s.seq < excluded.seq
