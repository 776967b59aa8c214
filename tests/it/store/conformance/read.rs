//! Reading runs back.

use std::sync::Arc;

use runlog::model::event::Trigger;
use runlog::model::evolve::fold;
use runlog::model::{Namespace, RunState, Status, WorkflowName};
use runlog::store::Store;

use crate::store::process::*;

pub(super) async fn a_load_gives_row_log_and_inbox(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (run, other) = (process.started().await, process.queued(|_| {}).await);
    process.write(append(run, 1).note("a").note("b")).await;
    process.signal(run, "one").await;
    process.signal(run, "two").await;

    let mut loaded = store.load(&[run, other]).await.expect("load");
    loaded.sort_by_key(|loaded| loaded.row.run);

    assert_eq!(loaded.iter().map(|loaded| loaded.row.run).collect::<Vec<_>>(), [run, other]);
    assert_eq!(loaded[0].row, process.row(run).await);
    assert_eq!(loaded[0].snapshot, None);
    let log = loaded[0].log.as_ref().expect("a log");
    assert_eq!(*log, store.log(run, 0, 99).await.expect("log"));
    assert_eq!(log.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3]);
    let names: Vec<_> = loaded[0].inbox.iter().map(|message| message.body.clone()).collect();
    assert_eq!(names, [signal("one", "null"), signal("two", "null")]);
    assert_eq!((loaded[1].log.as_ref().expect("a log").len(), loaded[1].inbox.len()), (1, 0));
}

pub(super) async fn an_unknown_run_is_left_out(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (run, unknown) = (process.started().await, process.clock.new_run_id());
    let loaded = store.load(&[unknown, run]).await.expect("load");
    assert_eq!(loaded.iter().map(|loaded| loaded.row.run).collect::<Vec<_>>(), [run]);
    assert_eq!(store.row(unknown).await.expect("row"), None);
    assert_eq!(store.log(unknown, 0, 9).await.expect("log"), []);
    assert_eq!(store.inbox(&[unknown]).await.expect("inbox"), []);
    assert_eq!(store.children(unknown, 9).await.expect("children"), []);
}

/// Makes a run with five events; returns its state after each of them, with the states' seqs from 1.
async fn folded(process: &Process) -> Vec<RunState> {
    let run = process.queued(|_| {}).await;
    process.claim_named(&[run]).await;
    let claimed = || runlog::model::RunEvent::from(runlog::model::event::RunClaimed {});
    let more = append(run, 1).event(claimed()).event(claimed()).event(claimed()).event(claimed());
    process.write(more).await;
    let log = process.store.log(run, 0, 9).await.expect("log");
    (1..=log.len()).map(|seq| fold(run, &log[..seq]).expect("legal").expect("a run")).collect()
}

pub(super) async fn a_load_continues_after_the_snapshot(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let states = folded(&process).await;
    store.keep_snapshot(&states[2]).await.expect("keep");

    let loaded = store.load(&[states[0].id]).await.expect("load").remove(0);

    assert_eq!(loaded.snapshot.as_ref(), Some(&states[2]));
    let log = loaded.log.expect("a log");
    assert_eq!(log.iter().map(|event| event.seq).collect::<Vec<_>>(), [4, 5]);
    let state = log.iter().try_fold(states[2].clone(), runlog::model::evolve::evolve).expect("legal");
    assert_eq!(state, states[4]);
}

pub(super) async fn an_older_snapshot_never_replaces_a_newer_one(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let states = folded(&process).await;
    for (kept, seq) in [(1, 2), (3, 4), (0, 4), (3, 4), (4, 5)] {
        store.keep_snapshot(&states[kept]).await.expect("keep");
        let loaded = store.load(&[states[0].id]).await.expect("load").remove(0);
        assert_eq!(loaded.snapshot.map(|state| state.seq), Some(seq));
    }
}

pub(super) async fn a_log_is_read_in_pages(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.started().await;
    process.write(append(run, 1).note("2").note("3").note("4").note("5")).await;
    let page = async |after, limit| {
        let log = store.log(run, after, limit).await.expect("log");
        log.into_iter().map(|event| event.seq).collect::<Vec<_>>()
    };
    assert_eq!(page(0, 2).await, [1, 2]);
    assert_eq!(page(2, 2).await, [3, 4]);
    assert_eq!(page(4, 2).await, [5]);
    assert_eq!(page(5, 2).await, [0_u32; 0]);
    assert_eq!(page(0, 0).await, [0_u32; 0]);
}

pub(super) async fn a_key_finds_its_run(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.queued(|born| born.key = key("order-42")).await;
    process.queued(|_| {}).await;
    let (workflow, key) = (served().workflow, key("order-42").expect("a key"));
    let find = async |namespace: &str, workflow: &WorkflowName, key| {
        store.find(&Namespace::new(namespace).expect("a name"), workflow, key).await.expect("find")
    };
    assert_eq!(find("default", &workflow, &key).await, Some(run));
    assert_eq!(find("tenant", &workflow, &key).await, None);
    assert_eq!(find("default", &WorkflowName::new("refund").expect("a name"), &key).await, None);
    assert_eq!(
        find("default", &workflow, &crate::store::process::key("order-43").expect("a key")).await,
        None
    );
}

pub(super) async fn replays_are_listed_oldest_first(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (original, other) = (process.started().await, process.started().await);
    let mut replays = Vec::new();
    for _ in 0..3 {
        let trigger = Trigger::Replay { of: original, by: None, reason: None, from: None, trace: None };
        replays.push(process.queued(|born| born.trigger = (&trigger).into()).await);
    }
    let list = async |run, limit| {
        let rows = store.replays(run, limit).await.expect("replays");
        rows.into_iter().map(|row| row.run).collect::<Vec<_>>()
    };
    assert_eq!(list(original, 9).await, replays);
    assert_eq!(list(original, 2).await, replays[..2]);
    assert_eq!(list(other, 9).await, []);
}

pub(super) async fn children_are_listed_oldest_first(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (parent, other) = (process.started().await, process.started().await);
    let births: Vec<_> =
        (0..4).map(|_| process.birth(Status::Queued).born(|born| born.parent = Some(parent))).collect();
    let children: Vec<_> = births.iter().map(|birth| birth.run).collect();
    let (early, late) = births.split_at(2);
    let family = [append(parent, 1).note("two").clone()].into_iter().chain(late.iter().cloned());
    process.append(&[commit(family)]).await.expect("append");
    let family = [append(parent, 2).note("two more")].into_iter().chain(early.iter().cloned());
    process.append(&[commit(family)]).await.expect("append");

    let list = async |run, limit| {
        let rows = store.children(run, limit).await.expect("children");
        rows.into_iter().map(|row| row.run).collect::<Vec<_>>()
    };
    assert_eq!(list(parent, 9).await, children);
    assert_eq!(list(parent, 3).await, children[..3]);
    assert_eq!(list(other, 9).await, []);
}

pub(super) async fn the_last_good_runs_are_listed_newest_first(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let mut runs = Vec::new();
    for status in [Status::Succeeded, Status::Failed, Status::Succeeded, Status::Cancelled, Status::Succeeded]
    {
        let run = process.started().await;
        process.end(run, status).await;
        runs.push(run);
    }
    let live = process.started().await;
    let good = async |before, limit| store.last_good(before, limit).await.expect("runs");

    assert_eq!(good(live, 9).await, [runs[4], runs[2], runs[0]]);
    assert_eq!(good(live, 2).await, [runs[4], runs[2]], "no more than asked for");
    assert_eq!(good(runs[4], 9).await, [runs[2], runs[0]], "before it");
    assert_eq!(good(runs[0], 9).await, []);
    let tenant = Namespace::new("tenant").expect("a name");
    let other = WorkflowName::new("other").expect("a name");
    assert_eq!(good(process.queued(|new| new.namespace = tenant).await, 9).await, []);
    assert_eq!(good(process.queued(|new| new.workflow = other).await, 9).await, []);
    assert_eq!(good(process.clock.new_run_id(), 9).await, [], "an unknown run");
}
