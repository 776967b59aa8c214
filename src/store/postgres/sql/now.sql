-- Reads the database's clock.
-- binds: none
-- index: none
select clock_timestamp() as "now!"
