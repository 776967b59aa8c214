-- Keys take turns by when they were served, not by when a run of theirs was let in: who ends says when it was. The migration
-- after this one goes by it. The previous release works on: it calls the same functions.

alter table runlog.gate_calls
    -- When the run was served whose end this is.
    add column served timestamptz;

create or replace function runlog.leave_gate() returns trigger language plpgsql as $$
begin
    if old.gate_at is null then
        insert into runlog.gate_calls (gate, at, served)
        values (new.gate, clock_timestamp(), least(old.started_at, old.claimed_at));
    end if;
    new.gate_at := null;
    return new;
end
$$;
