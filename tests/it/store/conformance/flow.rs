//! What holds runs back.

use std::sync::Arc;

use runlog::model::{Namespace, Status, WorkflowName};
use runlog::store::{NewPause, NewRun, Pause, Served, Store, Wanted};

use super::super::process::*;

fn workflow() -> WorkflowName {
    served().workflow
}

fn pause_in(namespace: &str) -> NewPause {
    NewPause {
        workflow: workflow(),
        namespace: Namespace::new(namespace).expect("a namespace"),
        by: Some("ada".to_owned()),
        reason: Some("the bank is down".to_owned()),
    }
}

async fn pause(store: &Arc<dyn Store>) {
    assert!(store.pause(&pause_in("default")).await.expect("a pause"));
}

fn of(namespace: &str) -> impl Fn(&mut NewRun) {
    let namespace = Namespace::new(namespace).expect("a namespace");
    move |born| born.namespace = namespace.clone()
}

pub(super) async fn a_run_of_a_paused_workflow_does_not_start_but_goes_on(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let parked = process.started().await;
    process.park(parked, Some(long_ago())).await;
    let before = process.queued(|_| {}).await;
    pause(&store).await;
    let after = process.queued(|_| {}).await;

    assert_eq!(process.claim_served(100).await, [parked]);
    for run in [before, after] {
        let row = process.row(run).await;
        assert_eq!((row.status, row.owner, row.wake_at), (Status::Queued, None, Some(long_ago())));
    }
}

pub(super) async fn a_pause_is_of_one_workflow_in_one_namespace(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    pause(&store).await;
    process.queued(|_| {}).await;
    let refund = || WorkflowName::new("refund").expect("a name");
    let other_workflow = process.queued(|born| born.workflow = refund()).await;
    let acme = process.queued(of("acme")).await;
    let later = process
        .queued(|born| {
            of("zoo")(born);
            born.wake_at = Some(long_ago() + LONG);
        })
        .await;
    let served = vec![served(), Served { workflow: refund(), ..served() }];
    let mut claimed = process.claim(Wanted { served, limit: 9, ..Wanted::default() }).await.runs;
    claimed.sort_unstable();
    assert_eq!(claimed, [other_workflow, acme, later]);
}

pub(super) async fn what_a_message_or_a_deadline_brings_of_a_paused_workflow_is_held_back(
    store: Arc<dyn Store>,
) {
    let process = Process::join(&store).await;
    pause(&store).await;
    let mailed = process.queued(|_| {}).await;
    let late = process.queued(|born| born.deadline_at = Some(long_ago())).await;
    let started = process.started().await;
    process.park(started, Some(long_ago())).await;
    process.signal(mailed, "hello").await;

    let claimed = process.claim(Wanted { served: vec![served()], limit: 9, ..Wanted::default() }).await;
    assert_eq!(sorted(claimed.runs.clone()), sorted(vec![mailed, late, started]));
    assert_eq!(sorted(claimed.held_back), sorted(vec![mailed, late]));
    assert_eq!(sorted(store.held_back(&claimed.runs).await.expect("held back")), sorted(vec![mailed, late]));
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort_unstable();
    all
}

pub(super) async fn the_runs_of_a_resumed_workflow_keep_their_order(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let second = process.queued(|born| born.wake_at = Some(long_ago() + LONG)).await;
    pause(&store).await;
    let first = process.queued(|_| {}).await;
    assert_eq!(process.claim_served(9).await, []);
    assert!(store.resume(&workflow(), &Namespace::default()).await.expect("resumed"));
    assert_eq!(process.claim_served(1).await, [first]);
    assert_eq!(process.claim_served(1).await, [second]);
}

pub(super) async fn a_claim_names_the_served_workflows_that_are_paused(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let paused = async || {
        let wanted = Wanted { served: vec![served()], limit: 9, ..Wanted::default() };
        process.claim(wanted).await.paused
    };
    let other = NewPause { workflow: WorkflowName::new("refund").expect("a name"), ..pause_in("acme") };
    store.pause(&other).await.expect("a pause");
    assert!(paused().await.is_empty());
    for namespace in ["acme", "zoo"] {
        store.pause(&pause_in(namespace)).await.expect("a pause");
    }
    assert_eq!(paused().await, [workflow()]);
}

pub(super) async fn a_pause_stays_as_it_was_made_until_it_is_ended(store: Arc<dyn Store>) {
    pause(&store).await;
    assert!(!store.pause(&NewPause { by: None, ..pause_in("default") }).await.expect("a pause"));
    store.pause(&pause_in("acme")).await.expect("a pause");

    let (default, acme) = (Namespace::default(), Namespace::new("acme").expect("a namespace"));
    let all = store.pauses(None, 9).await.expect("pauses");
    let places: Vec<_> = all.iter().map(|pause| &pause.namespace).collect();
    assert_eq!(places, [&acme, &default]);
    assert_eq!(store.pauses(None, 1).await.expect("pauses").len(), 1);
    let found = store.pause_of(&workflow(), &default).await.expect("a pause");
    assert_eq!(store.pauses(Some(&default), 9).await.expect("pauses"), Vec::from_iter(found.clone()));
    let Pause { by, reason, .. } = found.expect("it is paused");
    assert_eq!((by.as_deref(), reason.as_deref()), (Some("ada"), Some("the bank is down")));

    assert!(store.resume(&workflow(), &default).await.expect("resumed"));
    assert!(!store.resume(&workflow(), &default).await.expect("resumed"));
    assert_eq!(store.pause_of(&workflow(), &default).await.expect("none"), None);
}

pub(super) async fn a_run_that_a_pause_holds_back_is_not_late(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    process.queued(|_| {}).await;
    assert!(store.live_runs().await.expect("counts").lag > LONG);
    pause(&store).await;
    let live = store.live_runs().await.expect("counts");
    assert_eq!((live.queued, live.lag), (1, std::time::Duration::ZERO));
}
