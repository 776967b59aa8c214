//! Signals by key.

use std::collections::BTreeSet;
use std::sync::Arc;

use runlog::model::limits::SIGNALS_KEPT_OF_KEY_MAX;
use runlog::model::{Key, MessageBody, Namespace, Payload, RunId, SignalName, Status};
use runlog::store::{
    Append, Ask, Asked, Awaits, KeyedSignal, Posted, SignalId, SignalState, Store, ask, tell,
};

use crate::store::process::*;

/// A signal `go` of `key`, whose payload is its id.
fn keyed(key: &str, id: &str) -> KeyedSignal {
    KeyedSignal {
        namespace: Namespace::default(),
        sent_as: id.to_owned(),
        name: SignalName::new("go").expect("a name"),
        key: Key::new(key).expect("a key"),
        payload: Payload::of(&id).expect("JSON"),
    }
}

async fn posted(store: &Arc<dyn Store>, key: &str, id: &str) -> SignalId {
    match store.post_signal(&keyed(key, id)).await.expect("post_signal") {
        Posted::Accepted(id) => id,
        other => panic!("{other:?}"),
    }
}

/// Sends a signal as a runtime does; says how many runs were told, and whether it is kept.
async fn sent(store: &Arc<dyn Store>, key: &str, id: &str) -> (u64, bool) {
    let told = tell(&**store, posted(store, key, id).await).await.expect("tell");
    (told.count, told.state == SignalState::Kept)
}

/// Makes an append after which the run waits for `change` more signals `go` of `key`.
fn waits(run: RunId, expected: u32, key: &str, change: i32) -> Append {
    let KeyedSignal { namespace, name, key, .. } = keyed(key, "");
    Append { awaits: vec![Awaits { namespace, name, key, change }], ..append(run, expected).note("waits") }
}

fn question(run: RunId, key: &str) -> Ask {
    let KeyedSignal { namespace, name, key, .. } = keyed(key, "");
    Ask { run, namespace, name, key }
}

/// Makes a run that waits for `key` since its second event.
async fn waiting(process: &Process, key: &str) -> RunId {
    let run = process.started().await;
    process.write(waits(run, 1, key, 1)).await;
    run
}

/// Reads the payloads in a run's inbox.
async fn got(store: &Arc<dyn Store>, run: RunId) -> Vec<String> {
    let inbox = store.inbox(&[run]).await.expect("inbox");
    let payload = |body: &MessageBody| match body {
        MessageBody::Signal { key: Some(_), payload, .. } => payload.read().expect("an id"),
        other => panic!("{other:?}"),
    };
    inbox.iter().flat_map(|inbox| &inbox.messages).map(|message| payload(&message.body)).collect()
}

pub(super) async fn a_signal_is_brought_to_every_run_that_waits_for_its_key(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (a, b, other) =
        (waiting(&process, "k").await, waiting(&process, "k").await, waiting(&process, "l").await);
    let elsewhere = process.started().await;
    let mut append = waits(elsewhere, 1, "k", 1);
    append.awaits[0].namespace = Namespace::new("elsewhere").expect("a name");
    process.write(append).await;

    assert_eq!(sent(&store, "k", "one").await, (2, false));

    for run in [a, b] {
        assert_eq!(got(&store, run).await, ["one"]);
        assert_eq!(process.row(run).await.mail_seen, 1);
    }
    for run in [other, elsewhere] {
        assert_eq!(got(&store, run).await, [""; 0]);
    }
}

pub(super) async fn a_signal_that_nobody_waits_for_is_kept_for_the_first_that_asks(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    assert_eq!(sent(&store, "k", "early").await, (0, true));
    let (a, b) = (waiting(&process, "k").await, waiting(&process, "k").await);

    assert_eq!(store.ask_signal(&question(a, "l")).await.expect("ask"), Asked::Nothing);
    assert_eq!(store.ask_signal(&question(a, "k")).await.expect("ask"), Asked::Brought(vec![a]));
    assert_eq!(store.ask_signal(&question(b, "k")).await.expect("ask"), Asked::Nothing);

    assert_eq!((got(&store, a).await, got(&store, b).await), (vec!["early".to_owned()], vec![]));
    assert_eq!(sent(&store, "k", "early").await, (1, false), "who sent it hears that it was taken");
}

pub(super) async fn kept_signals_are_taken_in_their_order_one_by_each_wait(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    for id in ["1", "2", "3"] {
        assert_eq!(sent(&store, "k", id).await, (0, true));
    }
    let run = waiting(&process, "k").await;
    assert_eq!(ask(&*store, &question(run, "k")).await.expect("ask"), [run]);
    assert_eq!(got(&store, run).await, ["1"]);
    process.write(waits(run, 2, "k", 2)).await;
    assert_eq!(ask(&*store, &question(run, "k")).await.expect("ask"), [run, run]);
    assert_eq!(got(&store, run).await, ["1", "2", "3"]);
}

pub(super) async fn a_wait_that_has_its_signal_gets_no_second_one(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = waiting(&process, "k").await;
    assert_eq!(sent(&store, "k", "1").await, (1, false));
    assert_eq!(sent(&store, "k", "2").await, (0, true));
    assert_eq!(got(&store, run).await, ["1"]);
    process.write(waits(run, 2, "k", 1)).await;
    assert_eq!(ask(&*store, &question(run, "k")).await.expect("ask"), [run]);
    assert_eq!(got(&store, run).await, ["1", "2"]);
}

pub(super) async fn a_signal_comes_once_to_a_run_with_two_waits(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.started().await;
    process.write(waits(run, 1, "k", 2)).await;
    assert_eq!(sent(&store, "k", "1").await, (1, false));
    assert_eq!(sent(&store, "k", "1").await, (1, false));
    assert_eq!(got(&store, run).await, ["1"]);
    assert_eq!(sent(&store, "k", "2").await, (1, false));
    assert_eq!(got(&store, run).await, ["1", "2"]);
}

/// Every order of the two facts and the two questions, and each question left out as by a crash.
pub(super) async fn whichever_of_a_wait_and_a_signal_comes_second_finds_the_first(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    // 0: the wait's commit, 1: the run's question, 2: the signal's commit, 3: its telling.
    let orders = [[0, 1, 2, 3], [0, 2, 1, 3], [0, 2, 3, 1], [2, 0, 1, 3], [2, 0, 3, 1], [2, 3, 0, 1]];
    for (n, order) in orders.iter().enumerate() {
        for crashed in [None, Some(1), Some(3)] {
            let key = format!("{n} without {crashed:?}");
            let (run, mut signal) = (process.started().await, None);
            // After a crash, whoever takes the run up asks anew, and a sweep tells what was not told.
            for step in order.iter().copied().filter(|step| Some(*step) != crashed).chain(crashed) {
                match step {
                    0 => drop(process.write(waits(run, 1, &key, 1)).await),
                    1 => drop(ask(&*store, &question(run, &key)).await.expect("ask")),
                    2 => signal = Some(posted(&store, &key, &key).await),
                    _ => drop(tell(&*store, signal.expect("posted")).await.expect("tell")),
                }
            }
            assert_eq!(got(&store, run).await, [key.as_str()], "{order:?}");
        }
    }
}

pub(super) async fn a_signal_that_comes_again_is_answered_as_the_first_time(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = waiting(&process, "k").await;
    let first = posted(&store, "k", "1").await;
    assert_eq!(posted(&store, "k", "1").await, first);
    for _ in 0..2 {
        let told = tell(&*store, first).await.expect("tell");
        assert_eq!((told.count, told.state), (1, SignalState::Told));
    }
    assert_eq!(posted(&store, "k", "1").await, first);
    assert_eq!(got(&store, run).await, ["1"]);
    let others = [
        KeyedSignal { payload: Payload::null(), ..keyed("k", "1") },
        KeyedSignal { name: SignalName::new("stop").expect("a name"), ..keyed("k", "1") },
        keyed("l", "1"),
    ];
    for other in others {
        assert_eq!(store.post_signal(&other).await.expect("post_signal"), Posted::Another);
    }
    let elsewhere = KeyedSignal { namespace: Namespace::new("b").expect("a name"), ..keyed("k", "1") };
    assert!(matches!(store.post_signal(&elsewhere).await, Ok(Posted::Accepted(id)) if id != first));
}

pub(super) async fn a_run_that_ended_or_gave_up_waits_for_nothing(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let (ended, gave_up) = (waiting(&process, "k").await, waiting(&process, "k").await);
    process.write(append(ended, 2).note("ended").row(Status::Succeeded)).await;
    process.write(waits(gave_up, 2, "k", -1)).await;
    assert_eq!(sent(&store, "k", "late").await, (0, true));
    for run in [ended, gave_up] {
        assert_eq!(store.ask_signal(&question(run, "k")).await.expect("ask"), Asked::Nothing);
        assert_eq!(got(&store, run).await, [""; 0]);
    }
}

pub(super) async fn a_wait_that_gave_up_while_its_signal_came_leaves_it_to_the_next_one(
    store: Arc<dyn Store>,
) {
    let process = Process::join(&store).await;
    let run = waiting(&process, "k").await;
    assert_eq!(sent(&store, "k", "1").await, (1, false));
    // It timed out before it saw its inbox, and waits anew: what is in the inbox is for that.
    process.write(waits(run, 2, "k", -1)).await;
    process.write(waits(run, 3, "k", 1)).await;
    assert_eq!(sent(&store, "k", "2").await, (0, true));
    assert_eq!(ask(&*store, &question(run, "k")).await.expect("ask"), []);
    assert_eq!(got(&store, run).await, ["1"]);
}

pub(super) async fn a_batch_that_comes_again_waits_once(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.started().await;
    let batch = [commit([waits(run, 1, "k", 1)])];
    let first = process.append(&batch).await.expect("append");
    assert_eq!(process.append(&batch).await.expect("append"), first);
    assert_eq!(sent(&store, "k", "1").await, (1, false));
    assert_eq!(sent(&store, "k", "2").await, (0, true));
}

pub(super) async fn a_parked_run_is_due_when_its_signal_comes(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    let run = process.started().await;
    let mut park = waits(run, 1, "k", 1).released(Some(far_ahead()), 0);
    let release = park.row.as_mut().and_then(|row| row.release.as_mut()).expect("a release");
    release.claims = process.row(run).await.claims;
    process.write(park).await;
    assert_eq!(process.row(run).await.owner, None);
    assert_eq!(sent(&store, "k", "1").await, (1, false));
    assert_eq!(process.claim_served(9).await, [run]);
}

pub(super) async fn no_more_signals_are_kept_than_may_be(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    for n in 0..SIGNALS_KEPT_OF_KEY_MAX {
        assert_eq!(sent(&store, "k", &n.to_string()).await, (0, true));
    }
    assert_eq!(store.post_signal(&keyed("k", "more")).await.expect("post_signal"), Posted::Full);
    assert_eq!(sent(&store, "k", "0").await, (0, true), "what was accepted is answered again");
    assert_eq!(sent(&store, "l", "other").await, (0, true));
    waiting(&process, "k").await;
    assert_eq!(sent(&store, "k", "awaited").await, (1, false));
}

pub(super) async fn a_signal_whose_sender_died_is_found(store: Arc<dyn Store>) {
    let id = posted(&store, "k", "1").await;
    within(async || store.untold_signals(9).await.expect("untold_signals") == [id]).await;
    tell(&*store, id).await.expect("tell");
    assert_eq!(store.untold_signals(9).await.expect("untold_signals"), []);
}

/// Draws steps of senders and runs in any order, a fifth of them dead between their fact and their question.
pub(super) async fn no_signal_is_lost_and_none_comes_twice_in_any_order(store: Arc<dyn Store>) {
    let process = Process::join(&store).await;
    for seed in 0..12_u64 {
        let mut draw = Draw(seed);
        let key = format!("seed {seed}");
        let mut runs = Vec::new();
        for _ in 0..3 {
            runs.push((process.started().await, 1, 0_i32));
        }
        let mut signals: Vec<(SignalId, String)> = Vec::new();
        for n in 0..40 {
            let dies = draw.below(5) == 0;
            if draw.below(2) == 0 {
                let id = format!("{seed}/{n}");
                signals.push((posted(&store, &key, &id).await, id));
                // A telling may come later than others of later signals.
                let at = usize::try_from(draw.below(signals.len() as u64)).expect("small");
                if !dies {
                    tell(&*store, signals[at].0).await.expect("tell");
                }
            } else {
                let at = usize::try_from(draw.below(3)).expect("small");
                let (run, seq, open) = &mut runs[at];
                let change = if *open > 0 && draw.below(4) == 0 { -1 } else { 1 };
                process.write(waits(*run, *seq, &key, change)).await;
                (*seq, *open) = (*seq + 1, *open + change);
                if !dies {
                    ask(&*store, &question(*run, &key)).await.expect("ask");
                }
            }
        }
        // The sweep, and whoever takes the runs up.
        for (signal, _) in &signals {
            tell(&*store, *signal).await.expect("tell");
        }
        let mut delivered = BTreeSet::new();
        let mut hungry = 0;
        for (run, _, open) in &runs {
            ask(&*store, &question(*run, &key)).await.expect("ask");
            let got = got(&store, *run).await;
            let distinct: BTreeSet<_> = got.iter().cloned().collect();
            assert_eq!(distinct.len(), got.len(), "seed {seed}: {got:?}");
            // A wait may have been given up after its signal came: that one is the next wait's.
            hungry = hungry.max(i64::from(*open) - i64::try_from(got.len()).expect("small"));
            delivered.extend(distinct);
        }
        let mut kept = BTreeSet::new();
        for (signal, id) in &signals {
            let told = store.tell_signal(*signal).await.expect("tell_signal");
            assert_eq!(told.state == SignalState::Kept, told.count == 0, "seed {seed}: {id}");
            if told.state == SignalState::Kept {
                kept.insert(id.clone());
            }
        }
        let all: BTreeSet<String> = signals.iter().map(|(_, id)| id.clone()).collect();
        assert!(delivered.is_disjoint(&kept), "seed {seed}");
        assert_eq!(&delivered | &kept, all, "seed {seed}: none is lost");
        assert!(kept.is_empty() || hungry <= 0, "seed {seed}: {kept:?} are kept, {hungry} waits are open");
    }
}

/// Senders and runs at the same time.
pub(super) async fn no_signal_is_lost_and_none_comes_twice_at_the_same_time(store: Arc<dyn Store>) {
    const SENDERS: usize = 4;
    const EACH: usize = 12;
    let process = Arc::new(Process::join(&store).await);
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(process.started().await);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for sender in 0..SENDERS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for n in 0..EACH {
                sent(&store, "k", &format!("{sender}/{n}")).await;
                tokio::task::yield_now().await;
            }
        });
    }
    for run in runs.clone() {
        let process = Arc::clone(&process);
        tasks.spawn(async move {
            for n in 0..9 {
                process.write(waits(run, 1 + n, "k", 1)).await;
                ask(&*process.store, &question(run, "k")).await.expect("ask");
                tokio::task::yield_now().await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no panic");
    }
    let drain = process.started().await;
    for n in 0.. {
        process.write(waits(drain, 1 + n, "k", 1)).await;
        if ask(&*store, &question(drain, "k")).await.expect("ask").is_empty() {
            break;
        }
    }
    let mut delivered = BTreeSet::new();
    for run in runs.into_iter().chain([drain]) {
        let got = got(&store, run).await;
        let distinct: BTreeSet<_> = got.iter().cloned().collect();
        assert_eq!(distinct.len(), got.len(), "{got:?}");
        delivered.extend(distinct);
    }
    assert_eq!(delivered.len(), SENDERS * EACH, "{delivered:?}");
}

/// A small generator: the same seed draws the same steps (splitmix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}
