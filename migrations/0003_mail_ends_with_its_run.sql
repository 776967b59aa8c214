-- What is in a run's inbox goes when the run ends. The statement that ends it cannot do that itself: a message that is
-- committed while it waits for the run's row is not in its snapshot. A trigger's statements have a later one, and the
-- row's lock keeps further messages out. The previous release works on: it removes the others by itself.

create function runlog.drop_mail() returns trigger language plpgsql as $$
begin
    delete from runlog.inbox where run_id = new.id;
    return null;
end
$$;

create trigger runs_end_drops_mail after update of status on runlog.runs
    for each row when (
        old.status in ('QUEUED', 'RUNNING') and new.status not in ('QUEUED', 'RUNNING') and new.mail > 0
    )
    execute function runlog.drop_mail();
