-- Whoever ends at a gate calls it, too. It may just have been chosen to be let in, and somebody else must be. The previous
-- release works on: a call that is answered for nothing does no harm.

create or replace function runlog.leave_gate() returns trigger language plpgsql as $$
begin
    insert into runlog.gate_calls (gate, at, served)
    values (
        new.gate, clock_timestamp(),
        -- Who was never let in leaves no place in the line.
        case when old.gate_at is null then least(old.started_at, old.claimed_at) end
    );
    new.gate_at := null;
    return new;
end
$$;
