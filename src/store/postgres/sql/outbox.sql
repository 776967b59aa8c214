-- Reads rows of the outbox that a reader has not seen: those of transactions that were under way at its last snapshot, and
-- those that began since, after a place. Without rows, one that tells the present snapshot.
-- binds: the reader's last snapshot, the place (xid, id), rows at most
-- index: outbox_pkey
select now.snapshot as "snapshot!", o.xid::text as "xid?", o.id as "id?", o.at as "at?", o.runs as "runs?", o.seqs as "seqs?"
from (select pg_current_snapshot()::text as snapshot) now
left join lateral (
    select *
    from (
        (
            select b.* from runlog.outbox b
            where b.xid = any(array(select pg_snapshot_xip($1::text::pg_snapshot)))
              and (b.xid, b.id) > ($2::text::xid8, $3::bigint)
            order by b.xid, b.id
            limit $4
        )
        union all
        (
            select b.* from runlog.outbox b
            -- One bound, for the index begins its scan at one.
            where (b.xid, b.id) > (
                greatest($2::text::xid8, pg_snapshot_xmax($1::text::pg_snapshot)),
                case when $2::text::xid8 >= pg_snapshot_xmax($1::text::pg_snapshot) then $3::bigint else 0 end
            )
            order by b.xid, b.id
            limit $4
        )
    ) b
    order by b.xid, b.id
    limit $4
) o on true
order by o.xid, o.id
