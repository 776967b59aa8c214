//! Limits of concurrency: who is let in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use runlog::model::limit::{Limit, LimitBy, Policy, Rate};
use runlog::model::{Namespace, RunId, Status, Timestamp};
use runlog::store::{AtGate, Claimed, LimitKey, NewRun, Served, Shape, Store, Wanted};

use super::super::process::*;
use super::deaths::die_with;

fn shape(limit: Option<(u32, Policy)>) -> Shape {
    shape_with(limit, None)
}

pub(super) fn shape_with(limit: Option<(u32, Policy)>, rate: Option<Rate>) -> Shape {
    let Served { workflow, version, .. } = served();
    let limit = limit.map(|(slots, policy)| {
        let by = LimitBy::Input("/tenant".to_owned());
        Limit { name: "tenant".to_owned(), slots, rate, debounce: None, policy, by }
    });
    let shape = "any".to_owned();
    Shape { workflow, version, tasks: vec![], shape, timeout: None, start_timeout: None, limit }
}

async fn limited_as(store: &Arc<dyn Store>, slots: u32, policy: Policy) -> Process {
    store.register(&[shape(Some((slots, policy)))]).await.expect("registered");
    Process::join(store).await
}

async fn limited(store: &Arc<dyn Store>, slots: u32) -> Process {
    limited_as(store, slots, Policy::Queue).await
}

pub(super) fn of(key: &str) -> impl Fn(&mut NewRun) {
    move |born| born.limit_key = Some(key.to_owned())
}

pub(super) fn due(key: &str, at: Timestamp) -> impl Fn(&mut NewRun) {
    move |born| (born.limit_key, born.wake_at) = (Some(key.to_owned()), Some(at))
}

pub(super) fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort_unstable();
    all
}

pub(super) async fn look(process: &Process, limit: usize) -> Claimed {
    process.claim(Wanted { served: vec![served()], limit, limited: true, ..Wanted::default() }).await
}

pub(super) async fn claim(process: &Process) -> Vec<RunId> {
    sorted(look(process, 100).await.runs)
}

/// Starts a claimed run, whose log has one event.
async fn start(process: &Process, run: RunId) {
    process.write(append(run, 1).row(Status::Running)).await;
}

pub(super) async fn no_more_runs_of_a_key_are_let_in_than_there_are_slots(store: Arc<dyn Store>) {
    let process = limited(&store, 2).await;
    let mut runs = Vec::new();
    for key in ["a", "a", "a", "b"] {
        runs.push(process.queued(of(key)).await);
    }
    let acme = process
        .queued(|born| {
            of("a")(born);
            born.namespace = Namespace::new("acme").expect("a namespace");
        })
        .await;
    assert_eq!(claim(&process).await, sorted(vec![runs[0], runs[1], runs[3], acme]));
    assert_eq!(claim(&process).await, []);
    let row = process.row(runs[2]).await;
    assert_eq!((row.status, row.owner, row.wake_at), (Status::Queued, None, None));
    assert!(look(&process, 100).await.held_back.is_empty());
}

pub(super) async fn a_slot_is_given_on_when_its_run_ends(store: Arc<dyn Store>) {
    let process = limited(&store, 1).await;
    let (first, second, third) =
        (process.queued(of("a")).await, process.queued(of("a")).await, process.queued(of("a")).await);
    assert_eq!(claim(&process).await, [first]);
    start(&process, first).await;
    assert_eq!(claim(&process).await, []);
    process.write(append(first, 1).note("ended").row(Status::Succeeded)).await;
    assert_eq!(claim(&process).await, [second]);
    // Claimed and not started yet, it holds its slot.
    assert_eq!(claim(&process).await, []);
    process.write(append(second, 1).note("ended").row(Status::Cancelled)).await;
    assert_eq!(claim(&process).await, [third]);
}

pub(super) async fn a_parked_run_keeps_its_slot_and_is_not_held_back(store: Arc<dyn Store>) {
    let process = limited(&store, 1).await;
    let (first, _second) = (process.queued(of("a")).await, process.queued(of("a")).await);
    assert_eq!(claim(&process).await, [first]);
    start(&process, first).await;
    process.park(first, Some(long_ago())).await;
    let claimed = look(&process, 100).await;
    assert_eq!((claimed.runs, claimed.held_back), (vec![first], vec![]));
}

pub(super) async fn a_run_of_a_dead_node_keeps_its_slot(store: Arc<dyn Store>) {
    let (dying, process) = (limited(&store, 1).await, Process::join(&store).await);
    let (first, _second) = (dying.queued(of("a")).await, dying.queued(of("a")).await);
    assert_eq!(claim(&dying).await, [first]);
    store.leave(dying.node).await.expect("left");
    let claimed = look(&process, 100).await;
    assert_eq!((claimed.runs, claimed.held_back), (vec![first], vec![]));
}

pub(super) async fn what_a_message_brings_from_a_gate_is_held_back_and_stands_there_again(
    store: Arc<dyn Store>,
) {
    let process = limited(&store, 1).await;
    let (first, second) = (process.queued(of("a")).await, process.queued(of("a")).await);
    assert_eq!(claim(&process).await, [first]);
    process.signal(second, "hello").await;
    let claimed = look(&process, 100).await;
    assert_eq!((&claimed.runs, &claimed.held_back), (&vec![second], &vec![second]));
    assert_eq!(store.held_back(&claimed.runs).await.expect("held back"), [second]);

    // The slot gets free while it is away from its gate.
    process.write(append(first, 1).note("ended").row(Status::Cancelled)).await;
    assert_eq!(claim(&process).await, []);
    let inbox = store.inbox(&[second]).await.expect("an inbox").remove(0);
    let taken = inbox.messages.iter().map(|message| message.id).collect();
    let claims = process.row(second).await.claims;
    let mut release = append(second, 1).note("taken").row(Status::Queued).released(Some(long_ago()), 1);
    release.taken = taken;
    release.row.as_mut().and_then(|row| row.release.as_mut()).expect("a release").claims = claims;
    assert_eq!(process.write(release).await.kept, []);
    let claimed = look(&process, 100).await;
    assert_eq!((claimed.runs, claimed.held_back), (vec![second], vec![]));
}

pub(super) async fn a_run_that_ends_at_its_gate_frees_no_slot(store: Arc<dyn Store>) {
    let process = limited(&store, 1).await;
    let (first, second, third) =
        (process.queued(of("a")).await, process.queued(of("a")).await, process.queued(of("a")).await);
    assert_eq!(claim(&process).await, [first]);
    process.claim_named(&[second]).await;
    process.write(append(second, 1).note("ended").row(Status::Cancelled)).await;
    assert_eq!(claim(&process).await, []);
    process.write(append(first, 1).note("ended").row(Status::Cancelled)).await;
    assert_eq!(claim(&process).await, [third]);
}

/// Else its messages would wait until it is let in, and one that is to be cancelled never is.
pub(super) async fn a_run_at_its_gate_is_no_suspect_when_its_nodes_die(store: Arc<dyn Store>) {
    let process = limited(&store, 1).await;
    let (first, second) = (process.queued(of("a")).await, process.queued(of("a")).await);
    assert_eq!(claim(&process).await, [first]);
    process.signal(second, "hello").await;
    for _ in 0..3 {
        assert_eq!(die_with(&store, 10).await, [second]);
    }
    assert_eq!(process.row(second).await.deaths, 0);
    assert_eq!(claim(&process).await, [second]);
}

pub(super) async fn a_run_that_is_to_start_later_takes_no_slot_before(store: Arc<dyn Store>) {
    let process = limited(&store, 1).await;
    process.queued(due("a", far_ahead())).await;
    assert_eq!(look(&process, 100).await.next_due, Some(far_ahead()));
    let now = process.queued(of("a")).await;
    assert_eq!(claim(&process).await, [now]);
}

pub(super) async fn under_the_policy_queue_the_longest_due_goes_first(store: Arc<dyn Store>) {
    let process = limited(&store, 1).await;
    let third = process.queued(due("b", long_ago() + LONG * 2)).await;
    let second = process.queued(due("a", long_ago() + LONG)).await;
    let first = process.queued(due("a", long_ago())).await;
    let mut order = Vec::new();
    for _ in 0..3 {
        for run in look(&process, 1).await.runs {
            process.write(append(run, 1).note("ended").row(Status::Cancelled)).await;
            order.push(run);
        }
    }
    assert_eq!(order, [first, second, third]);
}

pub(super) async fn under_round_robin_the_keys_take_turns(store: Arc<dyn Store>) {
    let process = limited_as(&store, 1, Policy::RoundRobin).await;
    let mut keys = std::collections::BTreeMap::new();
    for (key, runs) in [("busy", 9), ("quiet", 3)] {
        for n in 0..runs {
            let at = long_ago() + if key == "busy" { LONG } else { LONG * 2 } + LONG * n / 100;
            keys.insert(process.queued(due(key, at)).await, key);
        }
    }
    let mut order = Vec::new();
    while order.len() < 12 {
        let claimed = look(&process, 1).await.runs;
        assert_eq!(claimed.len(), 1, "{order:?}");
        for run in claimed {
            process.write(append(run, 1).note("ended").row(Status::Cancelled)).await;
            order.push(keys[&run]);
        }
    }
    let quiet = order.iter().take(6).filter(|key| **key == "quiet").count();
    assert_eq!(quiet, 3, "{order:?}");
}

pub(super) async fn under_round_robin_a_key_stands_where_it_was_served(store: Arc<dyn Store>) {
    let process = limited_as(&store, 1, Policy::RoundRobin).await;
    let mut runs = Vec::new();
    for (n, key) in ["slow", "quick", "slow", "quick"].into_iter().enumerate() {
        runs.push(process.queued(due(key, long_ago() + LONG * n as u32)).await);
    }
    for run in &runs[..2] {
        assert_eq!(look(&process, 1).await.runs, [*run]);
        start(&process, *run).await;
    }
    // The one that was served first is done last: that is no reason to wait for another turn of the others.
    for run in [runs[1], runs[0]] {
        process.write(append(run, 1).note("ended").row(Status::Succeeded)).await;
        look(&process, 0).await;
    }
    assert_eq!(look(&process, 1).await.runs, [runs[2]]);
    assert_eq!(look(&process, 1).await.runs, [runs[3]]);
}

/// Lists who of some runs has a message.
async fn told(store: &Arc<dyn Store>, runs: &[RunId]) -> Vec<RunId> {
    let inboxes = store.inbox(runs).await.expect("inboxes");
    for inbox in &inboxes {
        assert_eq!(inbox.messages.len(), 1, "once");
        let runlog::model::MessageBody::Cancel { reason, by, .. } = &inbox.messages[0].body else {
            panic!("{:?}", inbox.messages)
        };
        assert_eq!(by.as_deref(), Some("limit `tenant`"));
        let reason = reason.as_deref().expect("a reason");
        assert!(reason.starts_with("limit `tenant` of key `a` has 2 slots, "), "{reason}");
    }
    sorted(inboxes.into_iter().map(|inbox| inbox.run).collect())
}

pub(super) async fn under_cancel_newest_a_run_without_a_slot_is_cancelled(store: Arc<dyn Store>) {
    let process = limited_as(&store, 2, Policy::CancelNewest).await;
    let mut runs = Vec::new();
    for n in 0..4 {
        runs.push(process.queued(due("a", long_ago() + LONG * n)).await);
    }
    look(&process, 0).await;
    look(&process, 0).await;
    assert_eq!(told(&store, &runs).await, sorted(vec![runs[2], runs[3]]));
    let claimed = look(&process, 9).await;
    assert_eq!(sorted(claimed.runs), sorted(runs.clone()));
    assert_eq!(sorted(claimed.held_back), sorted(vec![runs[2], runs[3]]));
}

pub(super) async fn under_cancel_oldest_as_many_are_cancelled_as_wait(store: Arc<dyn Store>) {
    let process = limited_as(&store, 2, Policy::CancelOldest).await;
    let runs = [process.queued(of("a")).await, process.queued(of("a")).await];
    assert_eq!(claim(&process).await, sorted(runs.to_vec()));
    assert_eq!(told(&store, &runs).await, []);
    let third = process.queued(of("a")).await;
    assert_eq!(claim(&process).await, []);
    assert_eq!(claim(&process).await, []);
    assert_eq!(told(&store, &runs).await, [*runs.iter().min().expect("a run")], "the oldest, once");
    let oldest = *runs.iter().min().expect("a run");
    process.write(append(oldest, 1).note("ended").row(Status::Cancelled)).await;
    assert_eq!(claim(&process).await, [third]);
}

pub(super) async fn a_limit_that_grows_lets_more_in(store: Arc<dyn Store>) {
    let process = limited(&store, 1).await;
    let runs = [process.queued(of("a")).await, process.queued(of("a")).await, process.queued(of("a")).await];
    assert_eq!(claim(&process).await, [runs[0]]);
    store.register(&[shape(Some((2, Policy::Queue)))]).await.expect("registered");
    assert_eq!(claim(&process).await, [runs[1]]);
}

pub(super) async fn a_limit_that_is_gone_holds_nobody_back(store: Arc<dyn Store>) {
    let process = limited(&store, 1).await;
    let runs = [process.queued(of("a")).await, process.queued(of("a")).await, process.queued(of("a")).await];
    assert_eq!(claim(&process).await, [runs[0]]);
    store.register(&[shape(None)]).await.expect("registered");
    assert_eq!(store.limits(None, 9).await.expect("limits"), []);
    // Nobody here knows of any limit now.
    assert_eq!(sorted(process.claim_served(100).await), [runs[1], runs[2]]);
}

pub(super) async fn gates_limits_and_keys_are_told(store: Arc<dyn Store>) {
    let process = limited(&store, 1).await;
    let workflow = served().workflow;
    let (first, second) = (process.queued(of("a")).await, process.queued(of("a")).await);
    process.queued(of("b")).await;
    claim(&process).await;
    let at = AtGate {
        limit: "tenant".to_owned(),
        key: "a".to_owned(),
        running: 1,
        slots: Some(1),
        until: None,
        quiet_at: None,
    };
    assert_eq!(store.at_gate(second).await.expect("an answer"), Some(at));
    assert_eq!(store.at_gate(first).await.expect("an answer"), None);
    let limits = store.limits(Some(&workflow), 9).await.expect("limits");
    assert_eq!(limits.len(), 1);
    assert_eq!(Some(&limits[0].limit), shape(Some((1, Policy::Queue))).limit.as_ref());
    let key = |key: &str, running, waiting| LimitKey {
        namespace: Namespace::default(),
        key: key.to_owned(),
        running,
        waiting,
    };
    let keys = store.limit_keys(&workflow, None, 9).await.expect("keys");
    assert_eq!(keys, [key("a", 1, 1), key("b", 1, 0)]);
    let acme = Namespace::new("acme").expect("a namespace");
    assert_eq!(store.limit_keys(&workflow, Some(&acme), 9).await.expect("keys"), []);
    assert_eq!(store.live_runs().await.expect("counts").queued, 1);
}

pub(super) async fn many_claimers_let_in_no_more_than_there_are_slots(store: Arc<dyn Store>) {
    let process = limited(&store, 3).await;
    for n in 0..120 {
        process.queued(of(["a", "b"][n % 2])).await;
    }
    let (running, most, ended) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let claimers: Vec<_> = (0..8)
        .map(|_| {
            let (store, running, most, ended) =
                (Arc::clone(&store), Arc::clone(&running), Arc::clone(&most), Arc::clone(&ended));
            tokio::spawn(async move {
                let process = Process::join(&store).await;
                while ended.load(Ordering::SeqCst) < 120 {
                    let claimed = look(&process, 2).await.runs;
                    let now = running.fetch_add(claimed.len(), Ordering::SeqCst) + claimed.len();
                    most.fetch_max(now, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    for run in claimed {
                        // Before its end is committed: who is let in for it comes later.
                        running.fetch_sub(1, Ordering::SeqCst);
                        process.write(append(run, 1).note("ended").row(Status::Cancelled)).await;
                        ended.fetch_add(1, Ordering::SeqCst);
                    }
                }
            })
        })
        .collect();
    for claimer in claimers {
        tokio::time::timeout(LONG / 10, claimer).await.expect("in time").expect("no panic");
    }
    assert!((1..=6).contains(&most.load(Ordering::SeqCst)), "{most:?}");
}
