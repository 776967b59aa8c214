//! What must hold of trigger events once everything came to rest.

use std::collections::{BTreeMap, BTreeSet};

use runlog::model::event::Trigger;
use runlog::model::{Event, Namespace, RunEvent};
use runlog::store::{NewTriggerEvent, Store, TriggerEventQuery, Triggers};
use runlog::{Error, RunId};

use crate::nodes::Cluster;
use crate::workload::Job;

/// Checks that each event has exactly the runs that it starts, and that whoever pushed it was told of these.
pub async fn check(cluster: &Cluster) -> Result<(), Error> {
    let oracle = &cluster.oracle;
    let mut started = started(cluster).await?;
    let mut told = oracle.all_pushed();
    let query =
        TriggerEventQuery { namespace: Namespace::default(), key: None, after: None, limit: u32::MAX };
    for row in cluster.store.trigger_events(&query).await? {
        let NewTriggerEvent { id, payload, outcomes, .. } = row.event;
        let job: Job = serde_json::from_str(payload.text()).expect("what was pushed");
        let named: BTreeSet<RunId> = outcomes.iter().filter_map(|outcome| outcome.run).collect();
        let there = started.remove(id.as_str()).unwrap_or_default();
        if named != there || named.len() as u64 != 1 + job.seed % 2 {
            let (named, there) = (named.len(), there.len());
            oracle.violated(format!("{id} of {job:?} names {named} runs, and {there} are there"));
        }
        if told.remove(id.as_str()).is_some_and(|told| told != outcomes) {
            oracle.violated(format!("{id} was answered with other runs than it names"));
        }
    }
    for id in started.keys().chain(told.keys()) {
        oracle.violated(format!("{id} is not there, but was answered or has runs"));
    }
    Ok(())
}

/// Finds the runs that say of themselves that an event started them, by its id.
async fn started(cluster: &Cluster) -> Result<BTreeMap<String, BTreeSet<RunId>>, Error> {
    let mut started: BTreeMap<String, BTreeSet<RunId>> = BTreeMap::new();
    for run in cluster.store.runs() {
        let log = cluster.store.log(run, 0, 1).await?;
        if let Some(Event::Run(RunEvent::Created(created))) = log.first().map(|recorded| &recorded.event)
            && let Trigger::Event { id, .. } = &created.trigger
        {
            started.entry(id.clone()).or_default().insert(run);
        }
    }
    Ok(started)
}
