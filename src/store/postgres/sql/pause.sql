-- Pauses a workflow in a namespace; one that is paused already stays as it is. Its runs that wait stay where they are.
-- binds: workflow, namespace, who, reason
-- index: pauses_pkey
insert into runlog.pauses (workflow, namespace, who, reason) values ($1, $2, $3, $4) on conflict do nothing
