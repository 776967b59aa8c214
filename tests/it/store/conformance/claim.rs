//! Giving unowned runs to nodes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use runlog::model::{RunId, Status, Version, WorkflowName};
use runlog::store::{NewRun, Store, Wanted};

use crate::store::process::*;

fn unserved(born: &mut NewRun) {
    born.workflow = WorkflowName::new("somebody else's").expect("a name");
}

fn serving(limit: usize) -> Wanted {
    Wanted { served: vec![served()], limit, ..Wanted::default() }
}

pub(super) async fn a_claimed_run_belongs_to_the_node_and_is_counted(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.queued(|_| {}).await;
    assert_eq!(process.claim_served(1).await, [run]);

    let row = process.row(run).await;
    assert_eq!((row.owner, row.status, row.wake_at), (Some(process.node), Status::Queued, None));
    assert_eq!(row.claims, 1);
    assert!(row.claimed_at.is_some_and(|at| at >= process.joined.now));

    process.park(run_started(&process, run).await, Some(long_ago())).await;
    assert_eq!(process.claim_served(1).await, [run]);
    assert_eq!(process.row(run).await.claims, 2);
}

/// Starts a claimed run without an event, so that its log still has one.
async fn run_started(process: &Process, run: RunId) -> RunId {
    process.write(append(run, 1).row(Status::Running)).await;
    run
}

pub(super) async fn only_due_runs_of_served_workflows_are_claimed(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let due = process.queued(|_| {}).await;
    process.queued(|born| born.wake_at = Some(far_ahead())).await;
    process.queued(unserved).await;
    process.queued(|born| born.version = Version::new("2").expect("a version")).await;
    let parked = process.started().await;
    process.park(parked, None).await;

    assert_eq!(process.claim_served(100).await, [due]);
    assert_eq!(process.claim_served(100).await, []);
}

pub(super) async fn a_run_of_higher_priority_goes_first(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let last = process.queued(|born| born.priority = -1).await;
    let second = process.queued(|_| {}).await;
    let first = process.queued(|born| (born.priority, born.wake_at) = (11, Some(long_ago() + LONG))).await;
    assert_eq!(one_by_one(&process).await, [first, second, last]);
}

pub(super) async fn a_step_of_priority_counts_for_a_minute_of_waiting(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let due = |minutes: u32, priority| {
        move |born: &mut NewRun| {
            (born.priority, born.wake_at) = (priority, Some(long_ago() + LONG / 10 * minutes));
        }
    };
    let young = process.queued(due(11, 10)).await;
    let old = process.queued(due(0, 0)).await;
    let low = process.queued(due(0, -20)).await;
    assert_eq!(one_by_one(&process).await, [old, young, low], "the old one is not passed over for ever");
    let parked = process.started().await;
    process.park(parked, Some(long_ago() + LONG)).await;
    let (before, after) = (process.queued(due(12, 3)).await, process.queued(due(12, 1)).await);
    assert_eq!(one_by_one(&process).await, [before, parked, after], "what goes on stands in the same line");
}

pub(super) async fn the_longer_due_goes_first(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let third = process.queued(|born| born.wake_at = Some(long_ago() + LONG * 2)).await;
    let first = process.queued(|_| {}).await;
    let second = process.queued(|born| born.wake_at = Some(long_ago() + LONG)).await;
    assert_eq!(one_by_one(&process).await, [first, second, third]);
}

/// Claims three times one run.
async fn one_by_one(process: &Process) -> Vec<RunId> {
    let mut order = Vec::new();
    for _ in 0..3 {
        order.extend(process.claim_served(1).await);
    }
    order
}

pub(super) async fn claimed_at_is_the_present_owners(store: Arc<dyn Store>) {
    let (dying, process) = (Process::join(&store).await, Process::join(&store).await);
    let (parked, ended, orphan) = (process.started().await, process.started().await, dying.started().await);
    assert!(process.row(parked).await.claimed_at.is_some());
    process.park(parked, None).await;
    process.end(ended, Status::Failed).await;
    store.leave(dying.node).await.expect("leave");
    for run in [parked, ended, orphan] {
        let row = process.row(run).await;
        assert_eq!((row.owner, row.claimed_at), (None, None));
    }
}

pub(super) async fn a_claim_stops_at_its_limit(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let mut runs = Vec::new();
    for _ in 0..5 {
        runs.push(process.queued(|_| {}).await);
    }
    assert_eq!(process.claim_served(0).await, []);
    let (first, rest) = (process.claim_served(2).await, process.claim_served(100).await);
    assert_eq!((first.len(), rest.len()), (2, 3));
    let claimed: BTreeSet<_> = [first, rest].concat().into_iter().collect();
    assert_eq!(claimed, runs.into_iter().collect());

    let named: Vec<_> = [process.queued(unserved).await, process.queued(unserved).await].into();
    let wanted = Wanted { runs: named, limit: 1, ..Wanted::default() };
    assert_eq!(process.claim(wanted).await.runs.len(), 1);
}

pub(super) async fn a_named_run_is_claimed_whatever_its_workflow(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let foreign = process.queued(unserved).await;
    let future = process.queued(|born| born.wake_at = Some(far_ahead())).await;
    let parked = process.started().await;
    process.park(parked, None).await;

    let unknown = process.clock.new_run_id();
    let claimed = process.claim_named(&[parked, future, foreign, unknown]).await;

    let claimed: BTreeSet<_> = claimed.into_iter().collect();
    assert_eq!(claimed, BTreeSet::from([foreign, future, parked]));
}

pub(super) async fn a_run_with_a_message_is_claimed_whatever_its_workflow(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (mailed, quiet) = (process.queued(unserved).await, process.queued(unserved).await);
    process.signal(mailed, "hello").await;
    assert_eq!(process.claim_served(100).await, [mailed]);
    assert_eq!(process.row(quiet).await.owner, None);
}

pub(super) async fn a_run_past_its_deadline_is_claimed_whatever_its_workflow(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let overdue = process
        .queued(|born| {
            unserved(born);
            born.wake_at = Some(far_ahead());
            born.deadline_at = Some(long_ago());
        })
        .await;
    process
        .queued(|born| {
            unserved(born);
            born.deadline_at = Some(far_ahead());
        })
        .await;
    assert_eq!(process.claim_served(100).await, [overdue]);
}

pub(super) async fn an_owned_run_is_not_claimed(store: Arc<dyn Store>) {
    let (owner, other) = (Process::join(&store).await, Process::join(&store).await);
    let run = owner.started().await;
    owner.write(append(run, 1).note("overdue").row(Status::Running).deadline(long_ago())).await;
    owner.signal(run, "hello").await;
    for process in [&owner, &other] {
        let wanted = Wanted { runs: vec![run], ..serving(9) };
        assert_eq!(process.claim(wanted).await.runs, []);
    }
    assert_eq!(owner.row(run).await.owner, Some(owner.node));
}

pub(super) async fn an_ended_run_is_not_claimed(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.started().await;
    process.signal(run, "unread").await;
    process.end(run, Status::Cancelled).await;
    let claimed = process.claim(Wanted { runs: vec![run], ..serving(9) }).await;
    assert_eq!((claimed.runs, claimed.mailed), (vec![], vec![]));
}

pub(super) async fn nodes_never_claim_the_same_run(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let births: Vec<_> = (0..200).map(|_| process.birth(Status::Queued)).collect();
    store.create(&births).await.expect("create");
    let left = Arc::new(AtomicUsize::new(200));
    let claimers: Vec<_> = (0..4)
        .map(|_| {
            let (store, left) = (Arc::clone(&store), Arc::clone(&left));
            tokio::spawn(async move {
                let process = Process::join(&store).await;
                let mut mine = Vec::new();
                while left.load(Ordering::Relaxed) > 0 {
                    let claimed = process.claim_served(7).await;
                    left.fetch_sub(claimed.len(), Ordering::Relaxed);
                    mine.extend(claimed);
                    tokio::task::yield_now().await;
                }
                (process.node, mine)
            })
        })
        .collect();
    let mut all = Vec::new();
    for claimer in claimers {
        let (node, mine) =
            tokio::time::timeout(LONG / 30, claimer).await.expect("in time").expect("no panic");
        for run in &mine {
            assert_eq!(process.row(*run).await.owner, Some(node));
        }
        all.extend(mine);
    }
    assert_eq!(all.len(), 200, "none is given twice");
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), 200);
}

pub(super) async fn a_claim_names_the_nodes_own_runs_with_messages(store: Arc<dyn Store>) {
    let (process, other) = (Process::join(&store).await, Process::join(&store).await);
    let (mailed, _quiet, foreign) = (process.started().await, process.started().await, other.started().await);
    process.signal(mailed, "hello").await;
    process.signal(foreign, "hello").await;

    let claimed = process.claim(serving(9)).await;
    assert_eq!((claimed.runs, claimed.mailed), (vec![], vec![mailed]));
    let fresh = process.queued(unserved).await;
    process.signal(fresh, "hello").await;
    let claimed = process.claim(serving(9)).await;
    assert_eq!((claimed.runs, claimed.mailed), (vec![fresh], vec![mailed]), "a run is named once");
}

pub(super) async fn a_claim_tells_when_the_next_served_run_is_due(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    assert_eq!(process.claim(serving(9)).await.next_due, None);

    let soon = far_ahead() - LONG;
    process.queued(|born| born.wake_at = Some(far_ahead())).await;
    let parked = process.started().await;
    process.park(parked, Some(soon)).await;
    process
        .queued(|born| {
            unserved(born);
            born.wake_at = Some(soon - LONG);
        })
        .await;
    assert_eq!(process.claim(serving(9)).await.next_due, Some(soon));
}
