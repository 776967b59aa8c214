//! `cx.transaction`: the code's SQL and the step's event are one commit, whatever crashes.

use std::sync::Arc;

use anyhow::{Context, Result};
use futures_util::FutureExt;
use runlog::testing::Kit;
use runlog::testing::postgres::Databases;
use runlog::{Cx, Retry, RunHandle, Runtime, Status, Workflow};
use sqlx::{Executor, PgPool};
use tokio::sync::Notify;

use super::{Counter, Infallible, Numbered, secs};

/// Where a run stands still until its process is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Halt {
    Nowhere,
    /// The rows are written and not committed.
    InTheTransaction,
    /// The transaction is committed, and nothing after it recorded.
    AfterIt,
    /// In the body of the next step.
    InTheNextStep,
    /// After the next step is recorded.
    AfterTheNextStep,
}

#[derive(Clone)]
struct Stage {
    halt: Halt,
    reached: Arc<Notify>,
    bodies: Counter,
}

impl Stage {
    /// Stands still the first time that the code comes by `halt`.
    async fn pass(&self, halt: Halt) {
        if self.halt == halt {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

fn booking(stage: &Stage) -> Workflow<(), i64> {
    let stage = stage.clone();
    Workflow::function("booking", move |cx: Cx, ()| {
        let stage = stage.clone();
        async move {
            let id = cx.step("id", || async { Ok::<_, Infallible>(7_i64) }).await?;
            let body = stage.clone();
            let booked = cx.transaction("book", move |tx| {
                async move {
                    body.bodies.hit();
                    let insert = sqlx::query_scalar("insert into booked (id) values ($1) returning id");
                    let booked: i64 = insert.bind(id).fetch_one(&mut **tx).await?;
                    body.pass(Halt::InTheTransaction).await;
                    Ok::<_, sqlx::Error>(booked)
                }
                .boxed()
            });
            let booked = booked.await?;
            stage.pass(Halt::AfterIt).await;
            cx.step("tell", || async {
                stage.pass(Halt::InTheNextStep).await;
                Ok::<_, Infallible>(())
            })
            .await?;
            cx.step("settle", || async { Ok::<_, Infallible>(()) }).await?;
            stage.pass(Halt::AfterTheNextStep).await;
            anyhow::Ok(booked)
        }
    })
}

async fn database() -> Result<PgPool> {
    let databases = Databases::shared().await?;
    let database = databases.fresh_with("booked", async |url| migrated(&url).await).await?;
    Ok(PgPool::connect(&database.url).await?)
}

async fn migrated(url: &str) -> Result<()> {
    let pool = PgPool::connect(url).await?;
    pool.execute("create table booked (id bigint)").await?;
    let runtime = Runtime::builder(pool.clone()).start().await?;
    runtime.shutdown(secs(0)).await?;
    pool.close().await;
    Ok(())
}

async fn start(pool: &PgPool, halt: Halt) -> Result<(Runtime, Stage, Workflow<(), i64>)> {
    let stage = Stage { halt, reached: Arc::default(), bodies: Counter::default() };
    let w = booking(&stage);
    let runtime = Runtime::builder(pool.clone()).workflow(w.clone()).start().await?;
    Ok((runtime, stage, w))
}

/// Ends the process of `runtime`, and its lease.
async fn crash(pool: &PgPool, runtime: &Runtime) -> Result<()> {
    runtime.crash();
    pool.execute("update runlog.leases set lease_until = clock_timestamp() - interval '1 hour'").await?;
    Ok(())
}

/// Lets another process go on, and checks that all took effect once.
async fn goes_on(pool: &PgPool, run: &RunHandle<i64>, bodies: u32) -> Result<()> {
    let (runtime, stage, _) = start(pool, Halt::Nowhere).await?;
    let output = runtime.handle(run.id()).output().await?;
    assert_eq!(output, 7);
    let rows: i64 = sqlx::query_scalar("select count(*) from booked").fetch_one(pool).await?;
    assert_eq!(rows, 1, "booked exactly once");
    assert_eq!(stage.bodies.get(), bodies, "bodies after the crash");
    let view = runtime.get(run.id()).await?.context("the run")?;
    let steps: Vec<_> = view.tasks[0].steps.iter().map(|step| step.op.name.to_string()).collect();
    assert_eq!(steps, ["book", "id", "settle", "tell"]);
    runtime.shutdown(secs(0)).await?;
    Ok(())
}

#[tokio::test]
async fn a_transaction_takes_effect_exactly_once_wherever_the_process_dies() -> Result<()> {
    for (halt, bodies) in [
        (Halt::InTheTransaction, 1),
        (Halt::AfterIt, 0),
        (Halt::InTheNextStep, 0),
        (Halt::AfterTheNextStep, 0),
    ] {
        let pool = database().await?;
        let (runtime, stage, w) = start(&pool, halt).await?;
        let run = runtime.run(&w, ()).start().await?;
        stage.reached.notified().await;
        crash(&pool, &runtime).await?;
        goes_on(&pool, &run, bodies).await.with_context(|| format!("{halt:?}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn a_transaction_whose_commit_nobody_heard_of_took_effect_once() -> Result<()> {
    let pool = database().await?;
    // The commit waits for a lock that the test holds.
    pool.execute(
        "create function slow_commit() returns trigger language plpgsql as
             $$ begin perform pg_advisory_xact_lock(42); return null; end $$;
         create constraint trigger slow_commit after insert on booked deferrable initially deferred
             for each row execute function slow_commit()",
    )
    .await?;
    let mut holder = pool.acquire().await?;
    holder.execute("select pg_advisory_lock(42)").await?;
    let (runtime, _stage, w) = start(&pool, Halt::Nowhere).await?;
    let run = runtime.run(&w, ()).start().await?;
    let waiting = "select exists (select from pg_locks where locktype = 'advisory' and not granted
                                  and database = (select oid from pg_database where datname = current_database()))";
    while !sqlx::query_scalar::<_, bool>(waiting).fetch_one(&pool).await? {
        tokio::task::yield_now().await;
    }
    runtime.crash();
    holder.execute("select pg_advisory_unlock(42)").await?;
    drop(holder);
    while sqlx::query_scalar::<_, i64>("select count(*) from booked").fetch_one(&pool).await? == 0 {
        tokio::task::yield_now().await;
    }
    crash(&pool, &runtime).await?;
    goes_on(&pool, &run, 0).await
}

#[tokio::test]
async fn a_transaction_that_fails_leaves_nothing_and_is_tried_in_the_next_attempt() -> Result<()> {
    let pool = database().await?;
    let w = Workflow::function("flaky", |cx: Cx, ()| async move {
        let fails = cx.attempt() == 1;
        let booked = cx.transaction("book", move |tx| {
            async move {
                sqlx::query("insert into booked (id) values (1)").execute(&mut **tx).await?;
                if fails { Err(Numbered(1).into()) } else { anyhow::Ok(()) }
            }
            .boxed()
        });
        anyhow::Ok(booked.await?)
    })
    .retry(Retry::fixed(std::time::Duration::from_millis(1)));
    let runtime = Runtime::builder(pool.clone()).workflow(w.clone()).start().await?;
    let run = runtime.run(&w, ()).start().await?;
    run.output().await?;
    let rows: i64 = sqlx::query_scalar("select count(*) from booked").fetch_one(&pool).await?;
    assert_eq!((rows, run.get().await?.retries), (1, 1));
    runtime.shutdown(secs(0)).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transaction_in_memory_is_refused_with_the_reason() -> Result<()> {
    let stage = Stage { halt: Halt::Nowhere, reached: Arc::default(), bodies: Counter::default() };
    let w = booking(&stage);
    let kit = Kit::builder().workflow(w.clone()).start().await?;
    let run = kit.run(&w, &()).await?;
    assert_eq!(run.wait().await?, Status::Failed);
    let message = run.get().await?.error().context("an error")?.message.clone();
    assert!(
        message.contains("cx.transaction needs Postgres: this runtime is on the memory store"),
        "{message}"
    );
    assert_eq!(stage.bodies.get(), 0);
    Ok(())
}
