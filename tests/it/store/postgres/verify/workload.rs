//! A bit of everything that the engine does, on two nodes of which one crashes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use runlog::{
    CancelOptions, Cx, CxError, Either, ReplayOptions, Retry, RunHandle, Runtime, Schedule, Status,
    Subscription, TaskErrors, TriggerEvent, When, Workflow,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgPool;

use crate::support::{echo, gate, json, soon, until};

const LEASE: Duration = Duration::from_secs(3);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The number of an application's error.
#[derive(Debug, thiserror::Error)]
#[error("number {0}")]
struct Numbered(u32);

/// A step that fails twice, one that must not, a sleep, and an attempt that is made again.
fn shaky() -> Workflow<u32, u32> {
    let code = |cx: Cx, n: u32| async move {
        let tries = Arc::new(AtomicU32::new(0));
        let body = || {
            let first = tries.fetch_add(1, Ordering::Relaxed) < 2;
            async move { if first { Err(Numbered(1)) } else { Ok(n) } }
        };
        cx.step("flaky", body).retry(Retry::fixed(millis(2))).await?;
        cx.step("pay", || async { Ok::<_, Numbered>(n) }).at_most_once().await?;
        cx.sleep(millis(10)).await?;
        let _seen = cx.now();
        cx.step("after", || async { Ok::<_, Numbered>(n) }).await?;
        if cx.attempt() == 1 { Err(Numbered(2).into()) } else { anyhow::Ok(n) }
    };
    Workflow::function("shaky", code).retry(Retry::fixed(millis(10)))
}

/// Some steps of 20 ms.
fn paced() -> Workflow<u32, u32> {
    Workflow::function("paced", |cx: Cx, count: u32| async move {
        for n in 0..count {
            let body = || async {
                tokio::time::sleep(millis(20)).await;
                Ok::<_, Numbered>(n)
            };
            cx.step("tick", body).await?;
            cx.sleep(millis(1)).await?;
        }
        Ok::<_, CxError>(count)
    })
}

/// A race that a timer wins, a signal that does not come in time, and one that does.
fn racing() -> Workflow<u32, Option<u32>> {
    Workflow::function("racing", |cx: Cx, _n: u32| async move {
        let first = cx.race(cx.signal::<u32>("never"), cx.sleep(millis(5))).await;
        assert!(matches!(first, Either::Second(_)));
        cx.signal::<u32>("late").timeout(millis(5)).await?;
        let _second = cx.race(cx.signal::<u32>("go"), cx.sleep(Duration::from_secs(600))).await;
        cx.signal::<u32>("go").timeout(Duration::from_secs(600)).await
    })
}

/// What a parent does with its child.
fn parent() -> Workflow<u32, u32> {
    Workflow::function("parent", |cx: Cx, what: u32| async move {
        match what {
            // Its child succeeds.
            0 => drop(cx.child(&echo(), json("7")).await?),
            // Its child fails.
            1 => assert!(cx.child(&broken(), ()).await.is_err()),
            // It fails, which cancels its child.
            2 => {
                let _slow = cx.race(cx.child(&gate(), 2.into()), cx.sleep(millis(30))).await;
                return Err(Numbered(2).into());
            }
            // Its child waits for a signal.
            3 => drop(cx.child(&gate(), 3.into()).await?),
            // Its child succeeds, and it waits for a signal.
            _ => {
                cx.child(&echo(), json("7")).await?;
                cx.signal::<u32>("go").await?;
            }
        }
        anyhow::Ok(what)
    })
}

fn broken() -> Workflow<(), ()> {
    Workflow::function("broken", |_: Cx, ()| async move { Err::<(), _>(Numbered(3)) })
}

/// Two tasks, of which one fails twice, and a third that handles it.
fn failing() -> Workflow<u32, u32> {
    let w = Workflow::dag("failing");
    let good = w.task("good", |_, n: u32| async move { Ok::<_, Numbered>(n) });
    let bad = w.task("bad", |_, _: u32| async { Err::<u32, _>(Numbered(1)) });
    let bad = bad.retry(Retry::fixed(millis(5)).max_attempts(2));
    let slow = w.task("slow", |_, n: u32| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok::<_, Numbered>(n)
    });
    let slow = slow.timeout(millis(40));
    let end = w.task_after("end", (&good, &bad, &slow), |_, n: u32, _| async move { Ok::<_, Numbered>(n) });
    w.on_failure("handle", |cx: Cx, _, _: TaskErrors| async move {
        cx.step("refund", || async { Ok::<_, Numbered>(()) }).await
    });
    w.output(&end)
}

/// Who goes left is skipped, and who comes after; right begins in time or on a signal. It fails for 1.
fn branching() -> Workflow<u32, u32> {
    let w = Workflow::dag("branching");
    let flag = w.task("flag", |_, n: u32| async move { Ok::<_, Numbered>(n) });
    let left = w.task_after("left", &flag, |_, _, n: u32| async move { Ok::<_, Numbered>(n) });
    let left = left.skip_if(When::output(&flag, |_| true));
    let behind = w.task_after("behind", &left, |_, _, n: u32| async move { Ok::<_, Numbered>(n) });
    let right = w.task("right", |_, n: u32| async move { Ok::<_, Numbered>(n) });
    let right = right.wait_for(When::signal_that("go", |sure: &bool| *sure).or(When::elapsed(millis(20))));
    let end = w.task_after("end", (behind.optional(), &right), |_, _, (_, n)| async move {
        if n == 1 { Err(Numbered(n)) } else { Ok(n) }
    });
    w.output(&end)
}

/// One task that is skipped, and nothing beside it.
fn skipping() -> Workflow<u32, Option<u32>> {
    let w = Workflow::dag("skipping");
    let flag = w.task("flag", |_, n: u32| async move { Ok::<_, Numbered>(n) });
    let left = w.task("left", |_, n: u32| async move { Ok::<_, Numbered>(n) });
    w.output(left.skip_if(When::output(&flag, |_| true)).optional())
}

/// A task that begins in a day, or on a signal.
fn tomorrow() -> Workflow<u32, u32> {
    let w = Workflow::dag("tomorrow");
    let a = w.task("a", |_, n: u32| async move { Ok::<_, Numbered>(n) });
    w.output(&a.wait_for(When::elapsed(Duration::from_secs(24 * 3_600)).or(When::signal("go"))))
}

/// A transaction of the code's.
fn booking() -> Workflow<i64, i64> {
    Workflow::function("booking", |cx: Cx, id: i64| async move {
        let booked = cx.transaction("book", move |tx| {
            let insert = sqlx::query_scalar("insert into booked (id) values ($1) returning id");
            async move { insert.bind(id).fetch_one(&mut **tx).await }.boxed()
        });
        let booked: i64 = booked.await?;
        cx.step("tell", || async { Ok::<_, Numbered>(booked) }).await
    })
}

fn sleeper() -> Workflow<u64, ()> {
    Workflow::function("sleeper", |cx: Cx, seconds: u64| async move {
        cx.sleep(Duration::from_secs(seconds)).await
    })
}

/// A node that serves all of it.
async fn node(pool: &PgPool) -> Runtime {
    let builder =
        Runtime::builder(pool.clone()).lease(LEASE).park_after(millis(30)).poll_interval(millis(50));
    let builder =
        builder.workflow(echo()).workflow(gate()).workflow(shaky()).workflow(paced()).workflow(racing());
    let builder = builder.workflow(parent()).workflow(broken()).workflow(failing()).workflow(booking());
    let builder = builder.workflow(branching()).workflow(skipping()).workflow(tomorrow());
    builder.workflow(sleeper()).start().await.expect("a node")
}

/// Plays everything, and leaves what waits for long: the runs of [`LEFT`], parked. The node that it returns lives.
pub(crate) async fn play(pool: &PgPool) -> Runtime {
    sqlx::query("create table booked (id bigint)").execute(pool).await.expect("a table");
    let first = node(pool).await;
    start(&first, &gate(), 0.into(), "taken over").await;
    start(&first, &sleeper(), 9 * 24 * 3_600, "asleep").await;
    for n in 0..10 {
        start(&first, &paced(), 8, &format!("paced {n}")).await;
    }
    tokio::time::sleep(millis(120)).await;
    first.crash();

    let second = node(pool).await;
    start(&second, &sleeper(), 3_600, "napping").await;
    let ended = [
        start(&second, &shaky(), 1, "shaky").await,
        start(&second, &echo(), json("1"), "echo").await,
        start(&second, &booking(), 1, "booking").await,
        start(&second, &failing(), 1, "failing").await,
        start(&second, &parent(), 0, "parent of a success").await,
        start(&second, &parent(), 1, "parent of a failure").await,
        start(&second, &parent(), 2, "parent that fails").await,
        start(&second, &branching(), 1, "branching").await,
        start(&second, &skipping(), 1, "skipping").await,
    ];
    let yearly = Schedule::cron_by_name("yearly", "0 0 1 7 *", "echo", "1");
    second.schedules().create(yearly).await.unwrap();
    let scheduled = second.schedules().trigger("yearly", Some("ada")).await.unwrap().id();
    second.triggers().subscribe(Subscription::by_name("echoes", "said", "echo")).await.unwrap();
    let said = second.push(TriggerEvent::new("evt_1", "said", &1)).await.unwrap();
    let said = said.outcomes[0].run.expect("a run");
    let cancelled = cancelled(&second).await;
    let timed_out = second.run(&gate(), 1.into()).key("timed out").timeout(millis(60)).start().await.unwrap();
    let never = second.run(&gate(), 1.into()).key("not started").delay(Duration::from_secs(600));
    let never = never.start_timeout(millis(60)).start().await.unwrap();
    let racing = start(&second, &racing(), 1, "racing").await;
    left(&second).await;
    let many = (0..20).map(|n| second.run(&echo(), json(&n.to_string())));
    let many = second.start_many(many.collect()).await.unwrap();
    let again = second.run(&echo(), json("1")).key("echo").start_or_get().await.unwrap();
    assert!(!again.created, "a key is one run");

    second.signal(racing, "go", &1).await.unwrap();
    second.signal(racing, "go", &2).await.unwrap();
    let taken = second.find("gate", "taken over").await.unwrap().expect("a run");
    second.signal(taken, "go", &"on").await.unwrap();
    let paced = (0..10).map(async |n| second.find("paced", &format!("paced {n}")).await.unwrap().unwrap());
    let paced = futures_util::future::join_all(paced).await;
    let others = many.iter().map(|started| started.run.id());
    let others = others
        .chain([timed_out.id(), never.id(), racing, taken, scheduled, said])
        .chain(paced)
        .chain(cancelled);
    for run in ended.into_iter().chain(others) {
        soon("a run's end", second.handle(run).wait()).await.unwrap();
    }
    for run in [ended[0], ended[3], ended[6], ended[7], timed_out.id()] {
        for options in [ReplayOptions::default().from_start(), ReplayOptions::default()] {
            let Ok(replayed) = second.replay(run, options).await else { continue };
            if replayed.plan.workflow.as_str() == "gate" {
                replayed.run.signal("go", &"on").await.unwrap();
            }
            soon("a replay's end", replayed.run.wait()).await.unwrap();
        }
    }
    second
}

/// Runs that are cancelled: in the queue, and while they wait.
async fn cancelled(runtime: &Runtime) -> [runlog::RunId; 2] {
    let queued = runtime.run(&gate(), 1.into()).key("cancelled in the queue").delay(Duration::from_secs(600));
    let queued = queued.start().await.unwrap();
    queued.cancel(CancelOptions::default().reason("enough")).await.unwrap();
    let waiting = runtime.run(&gate(), 1.into()).key("cancelled").start().await.unwrap();
    waiting.cancel(CancelOptions::default()).await.unwrap();
    [queued.id(), waiting.id()]
}

/// The keys of the runs that are left alive, with their workflows; a child of `parent 3` lives, too.
pub(crate) const LEFT: &[(&str, &str)] = &[
    ("sleeper", "asleep"),
    ("sleeper", "napping"),
    ("tomorrow", "tomorrow"),
    ("gate", "waiting"),
    ("gate", "signalled"),
    ("gate", "queued"),
    ("parent", "parent of a live one"),
    ("parent", "parent that waits"),
];

async fn left(runtime: &Runtime) {
    start(runtime, &tomorrow(), 1, "tomorrow").await;
    start(runtime, &gate(), 1.into(), "waiting").await;
    let signalled = start(runtime, &gate(), 1.into(), "signalled").await;
    runtime.signal(signalled, "another", &1).await.unwrap();
    runtime
        .run(&gate(), 1.into())
        .key("queued")
        .delay(Duration::from_secs(24 * 3_600))
        .start()
        .await
        .unwrap();
    start(runtime, &parent(), 3, "parent of a live one").await;
    start(runtime, &parent(), 4, "parent that waits").await;
}

/// Waits until nobody owns a run: what lives is parked.
pub(crate) async fn until_parked(pool: &PgPool) {
    let owned = "select count(*) from runlog.runs where owner is not null";
    let owned = async || sqlx::query_scalar::<_, i64>(owned).fetch_one(pool).await.expect("a count");
    until("what lives is parked", async || owned().await == 0).await;
}

/// Cancels what is left, and waits for its end.
pub(crate) async fn end(runtime: &Runtime) {
    for (workflow, key) in LEFT {
        let run = runtime.find(workflow, key).await.unwrap().expect(key);
        let run: RunHandle<serde_json::Value> = runtime.handle(run);
        run.cancel(CancelOptions::default()).await.unwrap();
        assert_eq!(soon("a run's end", run.wait()).await.unwrap(), Status::Cancelled);
    }
}

async fn start<I, O>(runtime: &Runtime, workflow: &Workflow<I, O>, input: I, key: &str) -> runlog::RunId
where
    I: Serialize,
    O: DeserializeOwned,
{
    runtime.run(workflow, input).key(key).metadata([("of", "play")]).start().await.expect(key).id()
}
