//! Why a run failed, or why it stands where it stands.

use std::time::Duration;

use runlog::inspect::{Action, Cause, Fault, NoMore, Why};
use runlog::model::event::Timeout;
use runlog::model::{RunId, Waiting};
use runlog::{CancelOptions, Cx, CxError, Retry, RunHandle, Runtime, Status, TaskErrors, Workflow};
use serde_json::Value;

use crate::support::{Ground, gate, on_both, soon, until};

on_both! {
    an_error
    a_panic
    a_task_that_ran_out_of_time
    a_run_that_ran_out_of_time
    a_run_that_did_not_start_in_time
    a_child_that_failed_three_levels_down
    a_task_whose_retries_are_exhausted
    a_step_whose_retries_are_exhausted
    a_run_that_a_person_cancelled
    a_run_that_its_parent_cancelled
    a_run_that_nobody_serves
    a_run_that_waits_for_a_signal
    a_run_that_waits_for_what_its_child_waits_for
    a_timed_out_parent_names_what_its_child_waited_for
    an_error_that_is_not_worth_a_retry
    an_error_that_the_code_made_of_a_steps_error
    an_error_after_the_last_step_is_no_steps
    of_two_tasks_the_first_that_failed
    a_task_that_is_tried_again
    a_run_that_is_being_cancelled
    runs_that_are_well
    a_run_that_waits_for_a_slot
    a_child_that_was_cancelled_by_a_person_fails_its_parent
    a_child_whose_parent_failed
    the_input_of_the_task_that_failed
    what_the_last_good_run_had_otherwise
    there_is_no_such_run
}

const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Debug, thiserror::Error)]
#[error("card {card} declined")]
struct Declined {
    card: u32,
    #[source]
    source: Http,
}

#[derive(Debug, thiserror::Error)]
#[error("402 Payment Required")]
struct Http;

fn declined(card: u32) -> Declined {
    Declined { card, source: Http }
}

/// Reserves, then charges in a step that fails at a card above 10; a cheap card passes.
fn checkout(retry: Retry) -> Workflow<u32, String> {
    let dag = Workflow::dag("checkout");
    let reserve = dag.task("reserve", |_: Cx, card: u32| async move { Ok::<_, CxError>(card + 1) });
    let charge = dag.task_after("charge", &reserve, move |cx: Cx, card: u32, _: u32| {
        let retry = retry.clone();
        async move {
            let body =
                || std::future::ready(if card > 10 { Err(declined(card)) } else { Ok("paid".to_owned()) });
            cx.step("card", body).input(&card).retry(retry).await
        }
    });
    dag.output(&charge)
}

async fn end<O>(run: &RunHandle<O>) -> Status {
    soon("its end", run.wait()).await.unwrap()
}

async fn why(runtime: &Runtime, run: RunId) -> Why {
    runtime.why(run).await.unwrap().expect("a run")
}

/// The headline, with `<time>` and `<run>` for what differs from run to run.
fn line(why: &Why) -> String {
    let mask = |word: &str| {
        let bare = word.trim_end_matches([',', ';', ':']);
        let tail = word.get(bare.len()..).unwrap_or_default();
        match bare {
            bare if bare.parse::<RunId>().is_ok() => format!("<run>{tail}"),
            bare if bare.parse::<runlog::model::Timestamp>().is_ok() => format!("<time>{tail}"),
            _ => word.to_owned(),
        }
    };
    why.headline().split(' ').map(mask).collect::<Vec<_>>().join(" ")
}

fn ways(why: &Why) -> Vec<RunId> {
    why.path.iter().map(|hop| hop.run).collect()
}

async fn an_error(ground: impl Ground) {
    let workflow = checkout(Retry::none());
    let runtime = ground.builder().workflow(workflow.clone()).start().await.unwrap();
    let run = runtime.run(&workflow, 4711).start().await.unwrap();
    assert_eq!(end(&run).await, Status::Failed);

    let why = why(&runtime, run.id()).await;

    assert_eq!(line(&why), "checkout ▸ charge: failed in step `card`: Declined: card 4711 declined");
    assert_eq!((why.run, why.status, ways(&why)), (run.id(), Status::Failed, vec![run.id()]));
    let Cause::Failed { fault: Fault::Error, no_more: NoMore::OneTry, error } = &why.cause else {
        panic!("{:?}", why.cause)
    };
    assert_eq!(
        (error.kind.as_ref(), error.chain.as_slice()),
        ("Declined", &["402 Payment Required".to_owned()][..])
    );
    assert!(error.location.as_ref().is_some_and(|at| at.contains("inspect/why.rs:")), "{error:?}");
    let site = why.site.as_ref().unwrap();
    assert_eq!((site.task.as_str(), site.attempt, site.attempts_max), ("charge", 1, Some(1)));
    assert_eq!(site.retryable, Some(true));
    let step = site.step.as_ref().unwrap();
    assert_eq!((step.op.name.as_ref(), step.tries, step.tries_max), ("card", 1, Some(1)));
    assert!(step.input_hash.is_some() && site.node.is_some() && site.finished_at.is_some());
    let replay =
        Action::Replay { run: run.id(), from: Some(site.task.clone()), reused: 1, rerun: 1, force: false };
    assert_eq!(why.actions, [replay]);
}

async fn a_panic(ground: impl Ground) {
    let code = |_: Cx, n: u32| async move {
        assert!(n == 0, "boom {n}\n\u{1b}[31m");
        Ok::<_, CxError>(())
    };
    let panicking = Workflow::function("panicking", code);
    let runtime = ground.builder().workflow(panicking.clone()).start().await.unwrap();
    let run = runtime.run(&panicking, 7).start().await.unwrap();
    assert_eq!(end(&run).await, Status::Failed);

    let why = why(&runtime, run.id()).await;

    assert_eq!(line(&why), "panicking: panicked: boom 7 \u{fffd}[31m", "no escape reaches a terminal");
    let Cause::Failed { fault: Fault::Panic, error, .. } = &why.cause else { panic!("{:?}", why.cause) };
    assert_eq!(error.message, "boom 7\n\u{1b}[31m", "the payload as it was");
    let replay = Action::Replay { run: run.id(), from: None, reused: 0, rerun: 1, force: false };
    assert_eq!(why.actions, [replay]);
}

async fn a_task_that_ran_out_of_time(ground: impl Ground) {
    let dag = Workflow::dag::<()>("report");
    let slow = dag.task("render", |_: Cx, (): ()| std::future::pending::<Result<(), CxError>>());
    let slow =
        slow.timeout(Duration::from_millis(40)).retry(Retry::fixed(Duration::from_millis(1)).max_attempts(2));
    let report = dag.output(&slow);
    let runtime = ground.builder().workflow(report.clone()).start().await.unwrap();
    let run = runtime.run(&report, ()).start().await.unwrap();
    assert_eq!(end(&run).await, Status::Failed);

    let why = why(&runtime, run.id()).await;

    assert_eq!(
        line(&why),
        "report ▸ render: ran out of time at attempt 2 of 2: attempt 2 took longer than its 40 ms"
    );
    assert!(
        matches!(why.cause, Cause::Failed { fault: Fault::TaskTimedOut, no_more: NoMore::Exhausted, .. }),
        "{:?}",
        why.cause
    );
}

async fn a_run_that_ran_out_of_time(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).timeout(Duration::from_secs(2)).start().await.unwrap();
    assert_eq!(end(&run).await, Status::TimedOut);

    let why = why(&runtime, run.id()).await;

    assert_eq!(
        line(&why),
        "gate: timed out: it had not ended when its timeout of 2.0 s passed at <time>; it waited for signal `go` \
         since <time>"
    );
    let view = run.get().await.unwrap();
    let deadline = view.deadline.unwrap();
    let limit = Some(Duration::from_secs(2));
    assert_eq!(why.cause, Cause::TimedOut { timeout: Timeout::Run, deadline, limit });
    assert_eq!(why.site.as_ref().unwrap().task.as_str(), "gate");
}

async fn a_run_that_did_not_start_in_time(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let other = Workflow::function("nobody's", |_: Cx, ()| async { Ok::<_, CxError>(()) });
    let run = runtime.run(&other, ()).start_timeout(Duration::from_millis(50)).start().await.unwrap();
    assert_eq!(end(&run).await, Status::TimedOut);

    let why = why(&runtime, run.id()).await;

    assert_eq!(
        line(&why),
        "nobody's: timed out: it had not started when its start_timeout of 50 ms passed at <time>; it waited for a \
         node that serves workflow nobody's version 1: none that lives does"
    );
    assert!(matches!(why.cause, Cause::TimedOut { timeout: Timeout::Start, .. }), "{:?}", why.cause);
    assert!(matches!(&why.actions[0], Action::Serve { workflow, .. } if workflow.as_str() == "nobody's"));
}

/// Runs `below` as a child.
fn above(name: &'static str, below: Workflow<u32, String>) -> Workflow<u32, String> {
    Workflow::function(name, move |cx: Cx, n: u32| {
        let below = below.clone();
        async move { cx.child(&below, n).await }
    })
}

async fn a_child_that_failed_three_levels_down(ground: impl Ground) {
    let leaf = checkout(Retry::fixed(Duration::from_millis(1)).max_attempts(3));
    let middle = above("order", leaf.clone());
    let upper = above("sync", middle.clone());
    let top = above("nightly", upper.clone());
    let builder = ground.builder().workflow(leaf).workflow(middle).workflow(upper).workflow(top.clone());
    let runtime = builder.start().await.unwrap();
    let run = runtime.run(&top, 99).start().await.unwrap();
    assert_eq!(end(&run).await, Status::Failed);

    let why = why(&runtime, run.id()).await;

    assert_eq!(
        line(&why),
        "nightly ▸ sync ▸ order ▸ checkout ▸ charge: failed in step `card` at try 3 of 3: Declined: card 99 declined"
    );
    assert_eq!(why.place(), "nightly ▸ sync ▸ order ▸ checkout ▸ charge");
    let mut child = run.id();
    for hop in &why.path {
        let view = runtime.get(hop.run).await.unwrap().unwrap();
        assert_eq!((hop.run, hop.status, &hop.workflow), (child, Status::Failed, &view.workflow));
        child = view.children.first().map_or(child, |(child, ..)| *child);
    }
    assert_eq!(why.site.as_ref().unwrap().run, child, "the site is in the lowest run");
    assert_eq!(why.site.as_ref().unwrap().input.text(), "99");
}

async fn a_task_whose_retries_are_exhausted(ground: impl Ground) {
    let code = |cx: Cx, (): ()| async move { Err::<(), _>(declined(cx.attempt())) };
    let charge =
        Workflow::function("charge", code).retry(Retry::fixed(Duration::from_millis(1)).max_attempts(3));
    let runtime = ground.builder().workflow(charge.clone()).start().await.unwrap();
    let run = runtime.run(&charge, ()).start().await.unwrap();
    assert_eq!(end(&run).await, Status::Failed);

    let why = why(&runtime, run.id()).await;

    assert_eq!(line(&why), "charge: failed at attempt 3 of 3: Declined: card 3 declined");
    let Cause::Failed { no_more: NoMore::Exhausted, .. } = &why.cause else { panic!("{:?}", why.cause) };
    let site = why.site.unwrap();
    assert_eq!((site.attempt, site.attempts_max, site.retryable), (3, Some(3), Some(true)));
    let attempts = &run.get().await.unwrap().tasks[0].attempts;
    let allowed: Vec<_> = attempts.iter().map(|attempt| attempt.allowed.unwrap().max).collect();
    assert_eq!(allowed, [3, 3, 3], "every attempt says what was allowed");
}

async fn a_step_whose_retries_are_exhausted(ground: impl Ground) {
    let workflow = checkout(Retry::fixed(Duration::from_millis(1)).max_attempts(4));
    let runtime = ground.builder().workflow(workflow.clone()).start().await.unwrap();
    let run = runtime.run(&workflow, 11).start().await.unwrap();
    assert_eq!(end(&run).await, Status::Failed);

    let why = why(&runtime, run.id()).await;

    assert_eq!(
        line(&why),
        "checkout ▸ charge: failed in step `card` at try 4 of 4: Declined: card 11 declined"
    );
    assert!(matches!(why.cause, Cause::Failed { no_more: NoMore::Exhausted, .. }), "{:?}", why.cause);
    let view = run.get().await.unwrap();
    let step = &view.task("charge").unwrap().steps[0];
    assert_eq!((step.attempt, step.tries, step.allowed.unwrap().max), (1, 4, 4));
}

async fn a_run_that_a_person_cancelled(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start().await.unwrap();
    let options = CancelOptions::default().by("ada").reason("wrong customer").grace(Duration::from_millis(1));
    runtime.cancel(run.id(), options).await.unwrap();
    assert_eq!(end(&run).await, Status::Cancelled);

    let why = why(&runtime, run.id()).await;

    assert_eq!(line(&why), "gate: cancelled by ada: wrong customer");
    let Cause::Cancelled { by, reason, at, abort_at: None } = &why.cause else { panic!("{:?}", why.cause) };
    assert_eq!((by.as_deref(), reason.as_deref()), (Some("ada"), Some("wrong customer")));
    assert!(at.is_some());
    assert!(matches!(why.actions[..], [Action::Replay { force: true, .. }]), "{:?}", why.actions);
}

/// Runs [`gate`] as a child, from a task beside one that fails as soon as the child waits.
fn family() -> Workflow<Value, String> {
    let code = |cx: Cx, input: Value| async move { cx.child(&gate(), input).await };
    Workflow::function("family", code)
}

/// Waits until the run has a child, and that waits for its signal; returns the child.
async fn waiting_child(runtime: &Runtime, run: RunId) -> RunId {
    let mut child = None;
    until("its child waits", async || {
        let Some((run, ..)) = runtime.get(run).await.unwrap().unwrap().children.first().cloned() else {
            return false;
        };
        child = Some(run);
        !runtime.get(run).await.unwrap().unwrap().waiting.is_empty()
    })
    .await;
    child.unwrap()
}

async fn a_run_that_its_parent_cancelled(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).workflow(family()).start().await.unwrap();
    let run = runtime.run(&family(), 1.into()).start().await.unwrap();
    let child = waiting_child(&runtime, run.id()).await;
    let options = CancelOptions::default().by("ada").reason("wrong customer");
    runtime.cancel(run.id(), options).await.unwrap();
    assert_eq!(end(&runtime.handle(child)).await, Status::Cancelled);
    assert_eq!(end(&run).await, Status::Cancelled);

    let why = why(&runtime, child).await;

    assert_eq!(
        line(&why),
        "gate: cancelled, because of its parent run <run>: family: cancelled by ada: wrong customer"
    );
    assert_eq!(ways(&why), [child, run.id()]);
    let because = "family: cancelled by ada: wrong customer".to_owned();
    assert_eq!(why.cause, Cause::ParentEnded { run: run.id(), because: Some(because) });
}

async fn a_run_that_nobody_serves(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let other = Workflow::function("nobody's", |_: Cx, ()| async { Ok::<_, CxError>(()) }).version("7");
    let run = runtime.run(&other, ()).start().await.unwrap();

    let why = why(&runtime, run.id()).await;

    assert_eq!(
        line(&why),
        "nobody's: waits for a node that serves workflow nobody's version 7: none that lives does since <time>"
    );
    assert_eq!((&why.cause, why.status), (&Cause::Waiting, Status::Queued));
    let Action::Serve { workflow, version } = &why.actions[0] else { panic!("{:?}", why.actions) };
    assert_eq!((workflow.as_str(), version.as_str()), ("nobody's", "7"));
    assert_eq!(why.actions[1..], [Action::Cancel { run: run.id() }]);
}

async fn a_run_that_waits_for_a_signal(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start().await.unwrap();
    until("it waits", async || !run.get().await.unwrap().waiting.is_empty()).await;

    let why = why(&runtime, run.id()).await;

    assert_eq!(line(&why), "gate: waits for signal `go` since <time>");
    let log = runtime.events(run.id(), 0, 99).await.unwrap();
    let awaited = log.iter().find(|recorded| recorded.event.kind() == "signal_awaited").unwrap();
    assert_eq!((why.cause, why.waits[0].since), (Cause::Waiting, Some(awaited.at)));
    assert!(
        matches!(&why.actions[0], Action::Signal { run: to, name, .. } if *to == run.id() && name.as_str() == "go")
    );
}

async fn a_run_that_waits_for_what_its_child_waits_for(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).workflow(family()).start().await.unwrap();
    let run = runtime.run(&family(), 1.into()).start().await.unwrap();
    let child = waiting_child(&runtime, run.id()).await;

    let why = why(&runtime, run.id()).await;

    assert_eq!(line(&why), "family ▸ gate: waits for signal `go` since <time>");
    assert_eq!(ways(&why), [run.id(), child]);
    assert!(matches!(&why.actions[0], Action::Signal { run: to, .. } if *to == child));
    assert_eq!(why.actions[1], Action::Cancel { run: run.id() }, "one cancels what one asked about");
}

async fn a_timed_out_parent_names_what_its_child_waited_for(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).workflow(family()).start().await.unwrap();
    let run = runtime.run(&family(), 1.into()).timeout(Duration::from_secs(3)).start().await.unwrap();
    let child = waiting_child(&runtime, run.id()).await;
    assert_eq!(end(&run).await, Status::TimedOut);
    assert_eq!(end(&runtime.handle(child)).await, Status::Cancelled);

    let why = why(&runtime, run.id()).await;

    assert_eq!(
        line(&why),
        "family ▸ gate: timed out: it had not ended when its timeout of 3.0 s passed at <time>; it waited for signal \
         `go` since <time>"
    );
    assert_eq!(ways(&why), [run.id(), child]);
    let below = self::why(&runtime, child).await;
    assert!(
        line(&below)
            .starts_with("gate: cancelled, because of its parent run <run>: family ▸ gate: timed out: ")
    );
}

async fn an_error_that_is_not_worth_a_retry(ground: impl Ground) {
    let code = |cx: Cx, (): ()| async move {
        let body = || std::future::ready(Err::<(), _>(declined(1)));
        let retry = Retry::fixed(HOUR).max_attempts(9);
        cx.step("card", body).retry(retry).retry_if(|_: &Declined| false).await
    };
    let charge = Workflow::function("charge", code);
    let runtime = ground.builder().workflow(charge.clone()).start().await.unwrap();
    let run = runtime.run(&charge, ()).start().await.unwrap();
    assert_eq!(end(&run).await, Status::Failed);

    let why = why(&runtime, run.id()).await;

    assert_eq!(
        line(&why),
        "charge: failed in step `card` at try 1 of 9 (not retryable): Declined: card 1 declined"
    );
    assert!(matches!(why.cause, Cause::Failed { no_more: NoMore::NotRetryable, .. }), "{:?}", why.cause);
    assert_eq!(why.site.unwrap().retryable, Some(false));
}

async fn an_error_that_the_code_made_of_a_steps_error(ground: impl Ground) {
    let code = |cx: Cx, (): ()| async move {
        let body = || std::future::ready(Err::<(), _>(declined(1)));
        cx.step("before", || std::future::ready(Ok::<_, CxError>(1))).await?;
        cx.step("card", body).await.map_err(|_| anyhow::anyhow!("no money"))
    };
    let charge = Workflow::function("charge", code);
    let runtime = ground.builder().workflow(charge.clone()).start().await.unwrap();
    let run = runtime.run(&charge, ()).start().await.unwrap();
    assert_eq!(end(&run).await, Status::Failed);

    let why = why(&runtime, run.id()).await;

    assert_eq!(line(&why), "charge: failed in step `card`: Declined: card 1 declined");
    let site = why.site.unwrap();
    assert_eq!(site.error.unwrap().kind, "Declined");
    assert_eq!(site.attempt_error.unwrap().message, "no money");
}

async fn an_error_after_the_last_step_is_no_steps(ground: impl Ground) {
    let code = |cx: Cx, (): ()| async move {
        let body = || std::future::ready(Err::<(), _>(declined(1)));
        let _ignored = cx.step("card", body).await;
        cx.step("after", || std::future::ready(Ok::<_, CxError>(1))).await?;
        Err::<(), _>(anyhow::anyhow!("no money"))
    };
    let charge = Workflow::function("charge", code);
    let runtime = ground.builder().workflow(charge.clone()).start().await.unwrap();
    let run = runtime.run(&charge, ()).start().await.unwrap();
    assert_eq!(end(&run).await, Status::Failed);

    let why = why(&runtime, run.id()).await;

    assert!(why.headline().ends_with(": no money"), "{}", why.headline());
    let site = why.site.unwrap();
    assert_eq!((site.step, site.attempt_error), (None, None));
}

async fn of_two_tasks_the_first_that_failed(ground: impl Ground) {
    let dag = Workflow::dag::<()>("two");
    let slow = dag.task("slow", |cx: Cx, (): ()| async move {
        cx.signal::<()>("go").await?;
        Err::<(), _>(anyhow::anyhow!("the second"))
    });
    dag.task("quick", |_: Cx, (): ()| async { Err::<(), _>(anyhow::anyhow!("the first")) });
    dag.on_failure("tell", |_: Cx, (): (), _: TaskErrors| async {
        Err::<(), _>(anyhow::anyhow!("the third"))
    });
    let two = dag.output(&slow);
    let runtime = ground.builder().workflow(two.clone()).start().await.unwrap();
    let run = runtime.run(&two, ()).start().await.unwrap();
    until("it failed once", async || {
        run.get().await.unwrap().task("quick").is_some_and(|task| task.error.is_some())
    })
    .await;
    run.signal("go", &()).await.unwrap();
    assert_eq!(end(&run).await, Status::Failed);

    let why = why(&runtime, run.id()).await;
    assert!(why.headline().starts_with("two ▸ quick: failed"), "{}", why.headline());
    assert!(why.headline().ends_with(": the first"), "{}", why.headline());
}

async fn a_task_that_is_tried_again(ground: impl Ground) {
    let code = |_: Cx, (): ()| async { Err::<(), _>(declined(5)) };
    let charge = Workflow::function("charge", code).retry(Retry::fixed(HOUR).max_attempts(4));
    let runtime = ground.builder().workflow(charge.clone()).start().await.unwrap();
    let run = runtime.run(&charge, ()).start().await.unwrap();
    until("it failed once", async || !run.get().await.unwrap().waiting.is_empty()).await;

    let why = why(&runtime, run.id()).await;

    assert_eq!(line(&why), "charge: waits for the retry of `charge` at <time> since <time>");
    let site = why.site.unwrap();
    assert_eq!((site.attempt, site.attempts_max), (1, Some(4)));
    assert_eq!(site.error.unwrap().message, "card 5 declined", "why it is tried again");
}

async fn a_run_that_is_being_cancelled(ground: impl Ground) {
    let code = |cx: Cx, (): ()| async move {
        cx.step("for ever", std::future::pending::<Result<(), CxError>>).await
    };
    let busy = Workflow::function("busy", code);
    let runtime = ground.builder().workflow(busy.clone()).start().await.unwrap();
    let run = runtime.run(&busy, ()).start().await.unwrap();
    until("it is at work", async || runtime.live_runs() == 1).await;
    assert_eq!(line(&why(&runtime, run.id()).await), "busy: its code is at work, attempt 1 since <time>");
    runtime.cancel(run.id(), CancelOptions::default().by("ada").grace(HOUR)).await.unwrap();

    let why = why(&runtime, run.id()).await;

    assert_eq!(line(&why), "busy: is being cancelled by ada");
    assert!(matches!(why.cause, Cause::Cancelled { abort_at: Some(_), .. }), "{:?}", why.cause);
}

async fn runs_that_are_well(ground: impl Ground) {
    let sleeps = Workflow::function("sleeps", |cx: Cx, ()| async move { anyhow::Ok(cx.sleep(HOUR).await?) });
    let runtime = ground.builder().workflow(gate()).workflow(sleeps.clone()).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start().await.unwrap();
    run.signal("go", &"on").await.unwrap();
    assert_eq!(end(&run).await, Status::Succeeded);
    let done = why(&runtime, run.id()).await;
    assert_eq!(
        (line(&done), done.cause, done.actions),
        ("gate: succeeded".to_owned(), Cause::Succeeded, vec![])
    );

    let delayed = runtime.run(&gate(), 1.into()).delay(HOUR).start().await.unwrap();
    let delayed = why(&runtime, delayed.id()).await;
    assert_eq!(line(&delayed), "gate: waits for its start at <time> since <time>");

    let asleep = runtime.run(&sleeps, ()).start().await.unwrap();
    until("it sleeps", async || !asleep.get().await.unwrap().waiting.is_empty()).await;
    let asleep = why(&runtime, asleep.id()).await;
    assert_eq!(line(&asleep), "sleeps: waits for timer `sleep` until <time> since <time>");
}

async fn a_run_that_waits_for_a_slot(ground: impl Ground) {
    let builder = ground.builder().workflow(gate()).workflow_slots("gate", 1).park_after(HOUR);
    let runtime = builder.start().await.unwrap();
    let first = runtime.run(&gate(), 1.into()).start().await.unwrap();
    until("it waits", async || !first.get().await.unwrap().waiting.is_empty()).await;
    let second = runtime.run(&gate(), 1.into()).start().await.unwrap();

    let why = why(&runtime, second.id()).await;

    assert!(matches!(why.waits[0].waiting, Waiting::Slot { nodes: 1 }), "{:?}", why.waits);
    assert!(line(&why).starts_with("gate: waits for a free slot"), "{}", line(&why));
    assert!(matches!(&why.actions[0], Action::AddSlots { workflow } if workflow.as_str() == "gate"));
}

async fn a_child_that_was_cancelled_by_a_person_fails_its_parent(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).workflow(family()).start().await.unwrap();
    let run = runtime.run(&family(), 1.into()).start().await.unwrap();
    let child = waiting_child(&runtime, run.id()).await;
    let options = CancelOptions::default().by("ada").grace(Duration::from_millis(1));
    runtime.cancel(child, options).await.unwrap();
    assert_eq!(end(&run).await, Status::Failed);

    let why = why(&runtime, run.id()).await;

    assert_eq!(line(&why), "family ▸ gate: cancelled by ada");
    assert_eq!((why.status, ways(&why)), (Status::Failed, vec![run.id(), child]));
}

async fn a_child_whose_parent_failed(ground: impl Ground) {
    let dag = Workflow::dag::<Value>("split");
    let waits = dag.task("waits", |cx: Cx, input: Value| async move { cx.child(&gate(), input).await });
    dag.task("fails", |cx: Cx, _: Value| async move {
        cx.signal::<()>("fail").await?;
        Err::<(), _>(anyhow::anyhow!("out of luck"))
    });
    let split = dag.output(&waits).timeout(Duration::from_millis(800));
    let runtime = ground.builder().workflow(gate()).workflow(split.clone()).start().await.unwrap();
    let run = runtime.run(&split, 1.into()).start().await.unwrap();
    let child = waiting_child(&runtime, run.id()).await;
    run.signal("fail", &()).await.unwrap();
    // The other task still waits for the child: only the run's timeout ends it.
    assert_eq!(end(&run).await, Status::TimedOut);
    assert_eq!(end(&runtime.handle(child)).await, Status::Cancelled);

    let why = why(&runtime, child).await;
    assert!(
        line(&why).contains("because of its parent run <run>: split ▸ gate: timed out"),
        "{}",
        line(&why)
    );
}

async fn the_input_of_the_task_that_failed(ground: impl Ground) {
    let workflow = checkout(Retry::none());
    let runtime = ground.builder().workflow(workflow.clone()).start().await.unwrap();
    let run = runtime.run(&workflow, 41).start().await.unwrap();
    assert_eq!(end(&run).await, Status::Failed);

    let site = why(&runtime, run.id()).await.site.unwrap();

    assert_eq!(site.input.text(), "41");
    let inputs: Vec<_> = site.inputs.iter().map(|(task, output)| (task.as_str(), output.text())).collect();
    assert_eq!(inputs, [("reserve", "42")]);
}

async fn what_the_last_good_run_had_otherwise(ground: impl Ground) {
    let workflow = checkout(Retry::none());
    let runtime = ground.builder().workflow(workflow.clone()).start().await.unwrap();
    let good = runtime.run(&workflow, 7).metadata([("tenant", "a")]).start().await.unwrap();
    assert_eq!(end(&good).await, Status::Succeeded);
    let bad = runtime.run(&workflow, 77).metadata([("tenant", "b")]).start().await.unwrap();
    assert_eq!(end(&bad).await, Status::Failed);

    let last_good = why(&runtime, bad.id()).await.last_good.unwrap();

    assert_eq!(last_good.run, good.id());
    let input = &last_good.changes.input.listed[0];
    assert_eq!((input.before.as_deref(), input.after.as_deref()), (Some("7"), Some("77")));
    let tenant = &last_good.changes.metadata[0];
    assert_eq!((tenant.a.as_deref(), tenant.b.as_deref()), (Some("a"), Some("b")));
    assert_eq!(why(&runtime, good.id()).await.last_good, None, "a good run needs no partner");
}

async fn there_is_no_such_run(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let unknown = RunId::from_tick(1, 1);
    assert_eq!(runtime.why(unknown).await.unwrap(), None);
    assert_eq!(runtime.state_at(unknown, 1).await.unwrap(), None);
    assert_eq!(runtime.state_at(unknown, 0).await.unwrap(), None);
    assert_eq!(runtime.graph(unknown).await.unwrap(), None);
    assert_eq!(runtime.last_good(unknown).await.unwrap(), None);
    assert_eq!(runtime.diff(unknown, unknown).await.unwrap(), None);
}
