//! How a run that kills its nodes is told from its neighbours.

use std::sync::Arc;

use runlog::model::RunId;
use runlog::store::{NodeInfo, Store, Wanted};

use crate::store::process::*;

/// Lets a node claim runs and die; returns which it had got.
pub(super) async fn die_with(store: &Arc<dyn Store>, limit: usize) -> Vec<RunId> {
    let dying = Process::join_for(store, SHORT).await;
    let mut runs = dying.claim_served(limit).await;
    runs.sort_unstable();
    dying.expire().await;
    while store.rescue().await.expect("rescue").released > 0 {}
    runs
}

/// Makes runs that were started and parked: what happens to them from here on gets them no further.
async fn parked(process: &Process, count: usize) -> Vec<RunId> {
    let mut runs = Vec::new();
    for _ in 0..count {
        let run = process.started().await;
        process.park(run, Some(long_ago())).await;
        runs.push(run);
    }
    runs
}

pub(super) async fn a_death_counts_against_runs_that_got_no_further(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = parked(&process, 1).await[0];
    for deaths in 1..=2 {
        assert_eq!(die_with(&store, 10).await, [run]);
        assert_eq!(process.row(run).await.deaths, deaths);
    }
}

pub(super) async fn an_event_since_the_claim_clears_the_run_of_suspicion(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = parked(&process, 1).await[0];
    die_with(&store, 10).await;
    let dying = Process::join_for(&store, SHORT).await;
    assert_eq!(dying.claim_served(10).await, [run]);
    dying.write(append(run, 2).note("further")).await;
    dying.expire().await;
    store.rescue().await.expect("rescue");
    assert_eq!(process.row(run).await.deaths, 0);
}

pub(super) async fn a_change_of_the_runs_row_clears_it_at_once(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = parked(&process, 1).await[0];
    die_with(&store, 10).await;
    assert_eq!(process.claim_served(10).await, [run]);
    process.write(append(run, 2).note("further").row(runlog::model::Status::Running)).await;
    assert_eq!(process.row(run).await.deaths, 0);
}

pub(super) async fn a_node_that_leaves_is_no_death(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = parked(&process, 1).await[0];
    let leaving = Process::join(&store).await;
    assert_eq!(leaving.claim_served(10).await, [run]);
    store.leave(leaving.node).await.expect("leave");
    assert_eq!(process.row(run).await.deaths, 0);
}

pub(super) async fn a_process_that_goes_on_takes_its_death_back(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = parked(&process, 1).await[0];
    // The rescue comes first …
    let silent = Process::join_for(&store, SHORT).await;
    assert_eq!(silent.claim_served(10).await, [run]);
    silent.expire().await;
    store.rescue().await.expect("rescue");
    assert_eq!(process.row(run).await.deaths, 1);
    let resumed = NodeInfo { resumes: Some(silent.node), ..info() };
    let again = Process::join_as(&store, resumed, SHORT).await;
    assert_eq!(process.row(run).await.deaths, 0);
    // … or the process does.
    assert_eq!(again.claim_served(10).await, [run]);
    again.expire().await;
    Process::join_as(&store, NodeInfo { resumes: Some(again.node), ..info() }, LONG).await;
    store.rescue().await.expect("rescue");
    assert_eq!(process.row(run).await.deaths, 0);
}

pub(super) async fn suspects_are_given_in_smaller_and_smaller_groups(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let runs = parked(&process, 70).await;
    let mut groups = Vec::new();
    for _ in 0..5 {
        groups.push(die_with(&store, 500).await.len());
    }
    assert_eq!(groups, [70, 70, 64, 8, 1]);
    let mut deaths = Vec::new();
    for run in runs {
        deaths.push(process.row(run).await.deaths);
    }
    deaths.sort_unstable();
    let count = |wanted: i16| deaths.iter().filter(|deaths| **deaths == wanted).count();
    assert_eq!([2, 3, 4, 5].map(count), [6, 56, 7, 1]);
}

pub(super) async fn a_node_that_watches_suspects_takes_no_others_but_healthy_runs(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    parked(&process, 66).await;
    die_with(&store, 500).await;
    die_with(&store, 500).await;
    let healthy = process.queued(|_| {}).await;
    assert_eq!(process.claim_served(500).await.len(), 65, "64 suspects and the healthy one");
    assert_eq!(process.row(healthy).await.owner, Some(process.node));
    assert_eq!(process.claim_served(500).await, []);
    let second = process.queued(|_| {}).await;
    assert_eq!(process.claim_served(500).await, [second]);
    let other = Process::join(&store).await;
    assert_eq!(other.claim_served(500).await.len(), 2, "another node watches none yet");
}

pub(super) async fn poison_is_given_to_any_node_whatever_it_serves(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = parked(&process, 1).await[0];
    for _ in 0..5 {
        assert_eq!(die_with(&store, 10).await, [run]);
    }
    let wanted = Wanted { limit: 10, ..Wanted::default() };
    assert_eq!(process.claim(wanted).await.runs, [run]);
    assert_eq!(process.row(run).await.deaths, 5);
}
