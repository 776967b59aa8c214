-- Reads the newest migration that was run here.
-- binds: none
-- index: none
select coalesce(max(version), 0) as "version!" from runlog.migrations where success
