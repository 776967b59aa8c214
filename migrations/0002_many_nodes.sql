-- Many nodes on one database. The previous release works on: it leaves what is new at its default.

-- How many runs a node may hold; null for a node of the release before.
alter table runlog.nodes add column slots int;

-- What each node serves, and how many runs of it the node may hold.
create table runlog.served (
    node int not null,
    workflow text not null,
    version text not null,
    slots int not null,
    primary key (workflow, version, node)
);

-- The fence names one process (`token`, drawn when it joins) on one history (`timeline`): in a database that was restored,
-- or on a replica that took over without the last commits, a node of the lost history writes nothing.
-- Null for a node of the release before, which does not ask.
alter table runlog.leases add column token bigint, add column timeline text;

-- How often in a row a node died while it owned the run and the run did not get any further.
alter table runlog.runs add column deaths smallint not null default 0;
