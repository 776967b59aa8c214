-- The instant on the database's clock that this transaction's snapshot shows. A replica shows the past: there, the
-- newest commit's, or every lease would look expired.
-- binds: none
-- index: none
select case
    when pg_is_in_recovery() then least(clock_timestamp(), coalesce(pg_last_xact_replay_timestamp(), clock_timestamp()))
    else clock_timestamp()
end
