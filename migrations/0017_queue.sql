-- Who goes first, and what may not start: priorities that age, and paused workflows. The previous release works on: its
-- runs get their place by the trigger; it starts runs of paused workflows.

-- A queued run's place: when it could start, less a minute for each step of its priority, so that an old run of low
-- priority is before a young one of high priority. Null for one that is to start later: its place counts from then.
alter table runlog.runs add column order_at timestamptz;

create function runlog.place_in_queue() returns trigger language plpgsql as $$
begin
    new.order_at := new.wake_at - new.priority * interval '1 minute';
    return new;
end
$$;

create trigger runs_place_in_queue before insert on runlog.runs
    for each row when (new.status = 'QUEUED' and new.wake_at <= clock_timestamp())
    execute function runlog.place_in_queue();

-- Together what runs_dispatch was: the queue by place, and by time what goes on or was to start later.
create index runs_queue on runlog.runs (workflow, version, order_at)
    where status = 'QUEUED' and wake_at is not null and order_at is not null;
create index runs_due on runlog.runs (workflow, version, wake_at)
    where wake_at is not null and (status = 'RUNNING' or order_at is null);
drop index runlog.runs_dispatch;

-- The queue by namespace: read only while a workflow is paused in some, so that no claim has to look through what may
-- not start.
create index runs_spaces on runlog.runs (workflow, version, namespace, wake_at)
    where status = 'QUEUED' and wake_at is not null;

-- Workflows of which no run may start, each in one namespace.
create table runlog.pauses (
    workflow text not null,
    namespace text not null,
    since timestamptz not null default clock_timestamp(),
    who text,
    reason text,
    primary key (workflow, namespace)
);
