//! `timeout` counts from the start, `start_timeout` from the creation.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use runlog::model::event::Timeout;
use runlog::model::state::End;
use runlog::store::memory::{Call, Fate, Faults, MemoryStore};
use runlog::{Cx, CxError, RunView, Runtime, Status, Workflow};

use crate::support::{Ground, Memory, gate, on_both, soon, until};

on_both! {
    a_run_does_not_time_out_before_its_deadline
    a_busy_run_times_out
    a_parked_run_times_out
    a_run_that_nobody_serves_times_out_by_its_start_timeout
    a_delayed_run_times_out_by_its_start_timeout_before_its_start
    a_run_that_started_in_time_has_no_start_timeout
    a_run_whose_nodes_were_all_down_at_its_deadline_times_out_when_one_is_back
    a_queued_run_whose_nodes_were_all_down_never_starts_after_its_start_timeout
    a_timeout_below_a_millisecond_is_not_cut_to_nothing
    the_workflows_timeout_holds_unless_the_start_says_otherwise
}

/// How late an end may be where others use the machine, too; [`a_timeout_is_at_most_a_second_late`] says how late it is else.
const LATE_MAX: TimeDelta = TimeDelta::seconds(10);

/// Says that a run ended by `timeout`: not before its deadline, and soon after.
fn assert_timed_out(view: &RunView, timeout: Timeout) {
    assert_eq!(view.status, Status::TimedOut);
    let Some(End::TimedOut { timeout: by, deadline }) = view.end.clone() else { panic!("{:?}", view.end) };
    assert_eq!(by, timeout);
    let late = view.finished_at.unwrap() - deadline;
    assert!(late >= TimeDelta::zero(), "it ended {late} before its deadline");
    assert!(late <= LATE_MAX, "it ended {late} after its deadline");
}

async fn a_run_does_not_time_out_before_its_deadline(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let mut runs = Vec::new();
    for millis in [1, 20, 150, 300] {
        let timeout = Duration::from_millis(millis);
        runs.push((timeout, runtime.run(&gate(), 1.into()).timeout(timeout).start().await.unwrap()));
    }
    for (timeout, run) in runs {
        soon("its end", run.wait()).await.unwrap();
        let view = run.get().await.unwrap();
        assert_timed_out(&view, Timeout::Run);
        assert_eq!((view.deadline.unwrap() - view.started_at.unwrap()).to_std().unwrap(), timeout);
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_at_most_a_second_late() {
    let (minute, second) = (Duration::from_secs(60), TimeDelta::seconds(1));
    let world = MemoryStore::seeded("2026-01-01T00:00:00Z".parse().unwrap(), 7);
    let first = Runtime::on_store(world.connect()).workflow(gate()).start().await.unwrap();
    let waits = first.run(&gate(), 1.into()).timeout(minute).start().await.unwrap();
    waits.wait().await.unwrap();
    let view = waits.get().await.unwrap();
    assert_timed_out(&view, Timeout::Run);
    assert!(view.finished_at.unwrap() - view.started_at.unwrap() <= TimeDelta::minutes(1) + second);

    let left = first.run(&gate(), 1.into()).timeout(minute).start().await.unwrap();
    first.shutdown(Duration::ZERO).await.unwrap();
    tokio::time::sleep(2 * minute).await;
    let back = world.clock().now();
    let next = Runtime::on_store(world.connect()).workflow(gate()).start().await.unwrap();
    assert_eq!(next.handle(left.id()).wait().await.unwrap(), Status::TimedOut);
    let late = left.get().await.unwrap().finished_at.unwrap() - back;
    assert!(late <= second, "it ended {late} after a node was back");
}

async fn a_busy_run_times_out(ground: impl Ground) {
    let busy = Workflow::function("busy", |cx: Cx, (): ()| async move {
        cx.step("for ever", std::future::pending::<Result<(), CxError>>).await
    });
    let runtime = ground.builder().workflow(busy.clone()).start().await.unwrap();
    let run = runtime.run(&busy, ()).timeout(Duration::from_millis(200)).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    assert_timed_out(&run.get().await.unwrap(), Timeout::Run);
    until("its code is gone", async || runtime.live_runs() == 0).await;
}

async fn a_parked_run_times_out(ground: impl Ground) {
    let rest = Duration::from_millis(10);
    let runtime = ground.builder().workflow(gate()).park_after(rest).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).timeout(Duration::from_secs(3)).start().await.unwrap();
    until("it is parked", async || runtime.live_runs() == 0).await;
    assert_eq!(run.get().await.unwrap().status, Status::Running);
    soon("its end", run.wait()).await.unwrap();
    assert_timed_out(&run.get().await.unwrap(), Timeout::Run);
}

async fn a_run_that_nobody_serves_times_out_by_its_start_timeout(ground: impl Ground) {
    let runtime = ground.builder().start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start_timeout(Duration::from_millis(300)).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    let view = run.get().await.unwrap();
    assert_timed_out(&view, Timeout::Start);
    assert_eq!((view.started_at, view.tasks.len()), (None, 0));
}

async fn a_delayed_run_times_out_by_its_start_timeout_before_its_start(ground: impl Ground) {
    let poll = Duration::from_secs(60);
    let runtime = ground.builder().workflow(gate()).poll_interval(poll).start().await.unwrap();
    let new = runtime.run(&gate(), 1.into()).delay(Duration::from_secs(60));
    let run = new.start_timeout(Duration::from_millis(300)).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    let view = run.get().await.unwrap();
    assert_timed_out(&view, Timeout::Start);
    assert_eq!(view.started_at, None);
}

async fn a_run_that_started_in_time_has_no_start_timeout(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start_timeout(Duration::from_millis(100)).start().await.unwrap();
    let view = run.get().await.unwrap();
    assert_eq!((view.status, view.deadline), (Status::Running, None));
    let passed = view.start_deadline.unwrap() + TimeDelta::milliseconds(100);
    until("its start deadline passed", async || ground.now().await > passed).await;
    run.signal("go", &"fine").await.unwrap();
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Succeeded);
}

async fn a_run_whose_nodes_were_all_down_at_its_deadline_times_out_when_one_is_back(ground: impl Ground) {
    let first = ground.builder().workflow(gate()).start().await.unwrap();
    let run = first.run(&gate(), 1.into()).timeout(Duration::from_secs(2)).start().await.unwrap();
    first.shutdown(Duration::ZERO).await.unwrap();
    let deadline = run.get().await.unwrap().deadline.unwrap();
    until("its deadline passed", async || ground.now().await > deadline).await;
    assert_eq!(run.get().await.unwrap().status, Status::Running);

    let back = ground.now().await;
    let next = ground.builder().workflow(gate()).start().await.unwrap();

    let run = next.handle(run.id());
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::TimedOut);
    let late = run.get().await.unwrap().finished_at.unwrap() - back;
    assert!(late <= LATE_MAX, "it ended {late} after a node was back");
}

async fn a_queued_run_whose_nodes_were_all_down_never_starts_after_its_start_timeout(ground: impl Ground) {
    let client = ground.builder().start().await.unwrap();
    let run = client.run(&gate(), 1.into()).start_timeout(Duration::from_secs(2)).start().await.unwrap();
    client.shutdown(Duration::ZERO).await.unwrap();
    let deadline = run.get().await.unwrap().deadline.unwrap();
    until("its deadline passed", async || ground.now().await > deadline).await;

    let node = ground.builder().workflow(gate()).start().await.unwrap();

    let run = node.handle(run.id());
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::TimedOut);
    let view = run.get().await.unwrap();
    assert_eq!((view.started_at, view.deadline), (None, Some(deadline)));
}

/// Lets a workflow of other nodes be found late.
struct SlowLook;

impl Faults for SlowLook {
    fn on_call(&self, call: &Call) -> Fate {
        match call.method == "registered" {
            true => Fate::Delayed(Duration::from_millis(100)),
            false => Fate::Passes,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_timeout_counts_from_the_creation_that_is_told() {
    let ground = Memory::new().await;
    let node = ground.builder().workflow(gate()).start().await.unwrap();
    node.shutdown(Duration::ZERO).await.unwrap();
    let client = Runtime::on_store(ground.0.connect_with(Arc::new(SlowLook))).start().await.unwrap();
    let timeout = Duration::from_millis(50);
    let wanted = vec![client.run_by_name("gate", "1").start_timeout(timeout)];

    let run = client.start_many(wanted).await.unwrap().remove(0).run;

    let view = run.get().await.unwrap();
    assert_eq!((view.start_deadline.unwrap() - view.created_at).to_std().unwrap(), timeout);
}

async fn a_timeout_below_a_millisecond_is_not_cut_to_nothing(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let timeout = Duration::from_micros(1_500);
    let run = runtime.run(&gate(), 1.into()).timeout(timeout).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    let view = run.get().await.unwrap();
    assert_timed_out(&view, Timeout::Run);
    assert!((view.deadline.unwrap() - view.started_at.unwrap()).to_std().unwrap() >= timeout);
}

async fn the_workflows_timeout_holds_unless_the_start_says_otherwise(ground: impl Ground) {
    let gate = gate().timeout(Duration::from_millis(100));
    let runtime = ground.builder().workflow(gate.clone()).start().await.unwrap();
    let short = runtime.run(&gate, 1.into()).start().await.unwrap();
    let long = runtime.run(&gate, 1.into()).timeout(Duration::from_secs(60)).start().await.unwrap();
    soon("its end", short.wait()).await.unwrap();
    assert_timed_out(&short.get().await.unwrap(), Timeout::Run);
    let view = long.get().await.unwrap();
    assert_eq!((view.status, view.timeout), (Status::Running, Some(Duration::from_secs(60))));
}
