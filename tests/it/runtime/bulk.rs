//! Many runs by one statement.

use std::time::Duration;

use runlog::{Error, RunId, Status};

use crate::support::{Ground, Postgres, echo, gate, json, on_both, soon};

const HOUR: Duration = Duration::from_secs(3600);

on_both! {
    many_started_runs_all_finish
    ten_thousand_runs_are_created_in_the_order_given
    one_bad_run_refuses_them_all
    taken_keys_are_answered_with_their_runs
    if_exists_fail_refuses_them_all
    too_many_runs_are_refused
    no_runs_are_no_runs
}

async fn many_started_runs_all_finish(ground: impl Ground) {
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let runs = (0..200).map(|n| runtime.run(&echo(), json(&n.to_string()))).collect();

    let started = runtime.start_many(runs).await.unwrap();

    for (n, started) in started.iter().enumerate() {
        assert!(started.created);
        assert_eq!(soon("its output", started.run.output()).await.unwrap().get(), n.to_string());
    }
}

async fn ten_thousand_runs_are_created_in_the_order_given(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let runs = (0..10_000).map(|n| runtime.run(&gate(), n.into()).key(format!("k{n}")).delay(HOUR)).collect();

    let started = runtime.start_many(runs).await.unwrap();

    assert!(started.len() == 10_000 && started.iter().all(|started| started.created));
    assert!(started.is_sorted_by_key(|started| started.run.id()));
    for n in [0, 1, 4_999, 9_999] {
        let run = &started[n].run;
        assert_eq!(runtime.find("gate", &format!("k{n}")).await.unwrap(), Some(run.id()));
        let view = run.get().await.unwrap();
        assert_eq!((view.status, view.input.text()), (Status::Queued, n.to_string().as_str()));
    }
}

async fn one_bad_run_refuses_them_all(ground: impl Ground) {
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let key = |n: usize| if n == 700 { String::new() } else { format!("k{n}") };
    let runs = (0..1_000).map(|n| runtime.run(&echo(), json("1")).key(key(n))).collect();

    let refused = runtime.start_many(runs).await;

    assert!(matches!(refused, Err(Error::Name(_))), "{refused:?}");
    for n in [0, 699, 701, 999] {
        assert_eq!(runtime.find("echo", &key(n)).await.unwrap(), None);
    }
}

async fn taken_keys_are_answered_with_their_runs(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let taken = runtime.run(&gate(), 0.into()).key("b").start().await.unwrap();
    let keys = ["a", "b", "c", "a"];
    let runs = keys.iter().map(|key| runtime.run(&gate(), 1.into()).key(key)).collect();

    let started = runtime.start_many(runs).await.unwrap();

    let created: Vec<bool> = started.iter().map(|started| started.created).collect();
    let ids: Vec<RunId> = started.iter().map(|started| started.run.id()).collect();
    assert_eq!(created, [true, false, true, false]);
    assert_eq!((ids[1], ids[3]), (taken.id(), ids[0]));
}

async fn if_exists_fail_refuses_them_all(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let runs = vec![
        runtime.run(&gate(), 1.into()).key("a"),
        runtime.run(&gate(), 1.into()).key("b").if_exists_fail(),
    ];

    let refused = runtime.start_many(runs).await;

    assert!(matches!(refused, Err(Error::Field { field: "if_exists_fail", .. })), "{refused:?}");
    assert_eq!(runtime.find("gate", "a").await.unwrap(), None);
}

async fn too_many_runs_are_refused(ground: impl Ground) {
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let runs = (0..50_001).map(|_| runtime.run(&echo(), json("1")).key("k")).collect();

    let refused = runtime.start_many(runs).await.unwrap_err();

    assert_eq!(refused.to_string(), "runs: 50001 runs, the limit is 50000: start them in several calls");
    assert_eq!(runtime.find("echo", "k").await.unwrap(), None);
}

async fn no_runs_are_no_runs(ground: impl Ground) {
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let none: Vec<runlog::runtime::NewRun<'_, ()>> = Vec::new();

    assert!(runtime.start_many(none).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_run_that_the_database_refuses_undoes_them_all() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    ground.psql("alter table runlog.runs add constraint no_poison check (key <> 'k700')").await.unwrap();
    let runs = (0..1_000).map(|n| runtime.run(&echo(), json("1")).key(format!("k{n}"))).collect();

    let refused = runtime.start_many(runs).await.unwrap_err();

    assert!(refused.to_string().contains("no_poison"), "{refused}");
    let rows = "select (select count(*) from runlog.runs) + (select count(*) from runlog.events)";
    assert_eq!(ground.count(rows).await, 0);
}
