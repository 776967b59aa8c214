-- Many nodes on one database. The previous release works on: it leaves what is new at its default.

-- How many runs a node may hold; null for a node of the release before.
alter table runlog.nodes add column slots int;
-- The node that the same process was before it lost its lease because the database did not answer.
alter table runlog.nodes add column resumes int;

-- What each node serves, and how many runs of it the node may hold.
create table runlog.served (
    node int not null,
    workflow text not null,
    version text not null,
    slots int not null,
    primary key (workflow, version, node)
);

-- The fence names one process (`token`, drawn when it starts) on one history (`timeline`): in a database that was
-- restored, or on a replica that took over without the last commits, a node of the lost history writes nothing.
-- Null for a node of the release before, which does not ask.
alter table runlog.leases add column token bigint, add column timeline text;

-- The server's timeline: promotion and recovery to a point in time begin a new one.
create function runlog.timeline() returns text stable language sql
as 'select left(pg_walfile_name(pg_current_wal_lsn()), 8)';

-- A server that does not tell (some hosted ones) counts as one that never changes it.
do $$
begin
    perform runlog.timeline();
exception when feature_not_supported or insufficient_privilege or undefined_function then
    raise notice 'this server does not tell its timeline: runlog cannot notice a failover that loses commits';
    execute $f$ create or replace function runlog.timeline() returns text immutable language sql as 'select ''''::text' $f$;
end
$$;

-- How often in a row a node died while it owned the run and the run did not get any further, and the last such node.
alter table runlog.runs add column deaths smallint not null default 0, add column died_with int;

-- Runs that may have killed their nodes: they are given out a few at a time.
create index runs_suspects on runlog.runs (deaths desc, wake_at) where deaths >= 2;
create index runs_died_with on runlog.runs (died_with) where died_with is not null;
