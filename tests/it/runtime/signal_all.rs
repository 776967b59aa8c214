//! One signal to many runs.

use std::time::Duration;

use runlog::{CancelOptions, Search};

use crate::support::{Ground, gate, on_both, soon};

on_both! {
    a_signal_to_all_reaches_those_that_wait_and_those_that_have_not_asked_yet
}

async fn a_signal_to_all_reaches_those_that_wait_and_those_that_have_not_asked_yet(ground: impl Ground) {
    let node = ground.builder().workflow(gate()).start().await.unwrap();
    let of = |order: &str| node.run(&gate(), 1.into()).metadata([("order", order)]);
    let waiting = of("7").start().await.unwrap();
    let later = of("7").delay(Duration::from_millis(300)).start().await.unwrap();
    let other = of("8").start().await.unwrap();
    let ended = of("7").delay(Duration::from_secs(600)).start().await.unwrap();
    ended.cancel(CancelOptions::default()).await.unwrap();

    let search = Search::new("meta.order:7".parse().unwrap());
    let sent = node.signal_all(&search, "go", &"on").await.unwrap();

    assert_eq!((sent.sent, sent.ended), (2, 0), "neither the other order nor the one that ended");
    for run in [waiting, later] {
        assert_eq!(soon("its output", run.output()).await.unwrap(), "on");
    }
    assert!(!node.get(other.id()).await.unwrap().expect("a run").status.is_terminal());
}
