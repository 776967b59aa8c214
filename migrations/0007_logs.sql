-- What code writes beside its run's log: lines, and chunks of streams. The previous release works on: it writes neither.
-- No foreign keys: the rows of a run are removed by its id (`delete … where run_id = any(…)`), whenever that is.

create type runlog.log_level as enum ('TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR');

create table runlog.log_lines (
    run_id uuid not null,
    -- Its place among the run's lines: when it was written in microseconds since 1970, moved up where two meet.
    n bigint not null,
    at timestamptz not null,
    node int,
    task text not null,
    attempt int not null,
    -- The step in whose body it was written.
    step text,
    -- How often the run had been claimed: between lines of different numbers the code ran again from its beginning.
    claims int not null,
    level runlog.log_level not null,
    target text not null,
    message text not null,
    -- A JSON object, as text; null when there are none.
    fields text,
    -- How many lines are missing here.
    dropped int not null,
    primary key (run_id, n)
);

create table runlog.chunks (
    run_id uuid not null,
    stream text not null,
    -- Its place in the stream, from 1 without holes.
    n int not null,
    at timestamptz not null default clock_timestamp(),
    task text not null,
    attempt int not null,
    step text,
    -- Which execution of a step's body sent it, 0 = the task's own code; and how many chunks that had sent before.
    source bigint not null,
    k int not null,
    data text not null,
    primary key (run_id, stream, n),
    -- What is sent again is the same chunk.
    constraint chunks_are_sent_once unique (run_id, stream, task, attempt, source, k)
);
