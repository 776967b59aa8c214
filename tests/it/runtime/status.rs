//! A run's status moves along one table, and each move has its own cause.

use std::time::Duration;

use runlog::model::event::Timeout;
use runlog::model::state::End;
use runlog::store::StoreError;
use runlog::{CancelOptions, Cx, Error, RunError, RunId, Status, Workflow};

use crate::support::{Ground, Postgres, echo, gate, json, on_both, soon, until};

on_both! {
    a_run_is_queued_until_a_node_starts_it
    a_run_succeeds_by_its_codes_output
    a_run_fails_by_its_codes_error
    a_run_is_cancelled_by_a_wish
    a_run_times_out_by_its_deadline
    nothing_moves_an_ended_run
}

/// Fails with the input.
fn failing() -> Workflow<String, ()> {
    Workflow::function("failing", |_: Cx, why: String| async move { Err::<(), _>(anyhow::anyhow!(why)) })
}

async fn a_run_is_queued_until_a_node_starts_it(ground: impl Ground) {
    let client = ground.builder().start().await.unwrap();
    let run = client.run(&gate(), 1.into()).start().await.unwrap();
    let queued = run.get().await.unwrap();
    assert_eq!((queued.status, queued.started_at, queued.tasks.len()), (Status::Queued, None, 0));

    let node = ground.builder().workflow(gate()).start().await.unwrap();

    until("it runs", async || run.get().await.unwrap().status == Status::Running).await;
    let running = run.get().await.unwrap();
    assert!(running.started_at.is_some() && running.node.is_some());
    node.signal(run.id(), "go", &"on").await.unwrap();
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Succeeded);
}

async fn a_run_succeeds_by_its_codes_output(ground: impl Ground) {
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let run = runtime.run(&echo(), json("true")).start().await.unwrap();
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Succeeded);
    let view = run.get().await.unwrap();
    assert_eq!((view.status, view.end.as_ref(), view.error()), (Status::Succeeded, None, None));
    assert_eq!(view.output.unwrap().text(), "true");
}

async fn a_run_fails_by_its_codes_error(ground: impl Ground) {
    let runtime = ground.builder().workflow(failing()).start().await.unwrap();
    let run = runtime.run(&failing(), "no stock".to_owned()).start().await.unwrap();
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Failed);
    let view = run.get().await.unwrap();
    assert_eq!((view.status, view.output.as_ref()), (Status::Failed, None));
    assert_eq!(view.error().unwrap().message, "no stock");
    let error = run.output().await.unwrap_err();
    assert!(matches!(&error, RunError::Failed { task: Some(task), .. } if task == "failing"), "{error}");
}

async fn a_run_is_cancelled_by_a_wish(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).start().await.unwrap();
    run.cancel(CancelOptions::default().reason("mistake").by("ada")).await.unwrap();
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::Cancelled);
    let end = End::Cancelled { reason: Some("mistake".to_owned()), by: Some("ada".to_owned()) };
    assert_eq!(run.get().await.unwrap().end, Some(end));
}

async fn a_run_times_out_by_its_deadline(ground: impl Ground) {
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let run = runtime.run(&gate(), 1.into()).timeout(Duration::from_millis(50)).start().await.unwrap();
    assert_eq!(soon("its end", run.wait()).await.unwrap(), Status::TimedOut);
    let view = run.get().await.unwrap();
    assert_eq!(view.end, Some(End::TimedOut { timeout: Timeout::Run, deadline: view.deadline.unwrap() }));
    assert!(matches!(run.output().await, Err(RunError::TimedOut { timeout: Timeout::Run, .. })));
}

async fn nothing_moves_an_ended_run(ground: impl Ground) {
    let runtime = ground.builder().workflow(echo()).start().await.unwrap();
    let run = runtime.run(&echo(), json("1")).start().await.unwrap();
    soon("its end", run.wait()).await.unwrap();
    let before = run.get().await.unwrap();

    let cancelled = run.cancel(CancelOptions::default()).await.unwrap_err();
    let signalled = run.signal("go", &1).await.unwrap_err();

    assert_eq!(cancelled.to_string(), format!("run {} ended as SUCCEEDED: it cannot be cancelled", run.id()));
    assert_eq!(signalled.to_string(), format!("run {} ended as SUCCEEDED: it cannot be signalled", run.id()));
    assert_eq!(run.get().await.unwrap(), before);
    let unknown = RunId::from_tick(1, 1);
    assert!(matches!(runtime.cancel(unknown, CancelOptions::default()).await, Err(Error::NotFound { .. })));
    assert!(matches!(runtime.signal(unknown, "go", &1).await, Err(Error::NotFound { .. })));
    assert!(matches!(runtime.handle(unknown).wait().await, Err(Error::NotFound { .. })));
    assert_eq!(runtime.get(unknown).await.unwrap(), None);
}

/// A run in each status, and a runtime that may be gone: rows stay.
async fn one_of_each(ground: &Postgres) -> Vec<(Status, RunId)> {
    let hour = Duration::from_secs(3600);
    let runtime =
        ground.builder().workflow(gate()).workflow(echo()).workflow(failing()).start().await.unwrap();
    let queued = runtime.run(&gate(), 1.into()).delay(hour).start().await.unwrap().id();
    let running = runtime.run(&gate(), 1.into()).start().await.unwrap().id();
    let succeeded = runtime.run(&echo(), json("1")).start().await.unwrap().id();
    let failed = runtime.run(&failing(), String::new()).start().await.unwrap().id();
    let cancelled = runtime.run(&gate(), 1.into()).delay(hour).start().await.unwrap().id();
    runtime.cancel(cancelled, CancelOptions::default()).await.unwrap();
    let timed_out =
        runtime.run(&gate(), 1.into()).timeout(Duration::from_millis(1)).start().await.unwrap().id();
    for run in [succeeded, failed, cancelled, timed_out] {
        soon("its end", runtime.handle(run).wait()).await.unwrap();
    }
    Status::ALL.into_iter().zip([queued, running, succeeded, failed, cancelled, timed_out]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_refuses_every_move_that_is_not_in_the_table() {
    let ground = Postgres::new().await;
    let mut allowed = 0;
    for (status, run) in one_of_each(&ground).await {
        for next in Status::ALL.into_iter().filter(|next| *next != status) {
            // Undone, so that the next move starts from the same status.
            let update = format!(
                "do $$ begin update runlog.runs set status = '{next}', owner = null, wake_at = null,
                                 deadline_at = null where id = '{run}'; raise 'undone'; end $$"
            );
            let said = ground.psql(&update).await.unwrap_err();
            let refused = format!("run {run} cannot move from {status} to {next}");
            assert_eq!(said.contains(&refused), !status.may_become(next), "{said}");
            allowed += usize::from(said.contains("undone"));
        }
    }
    assert_eq!(allowed, 8, "with the creation these are the nine legal moves");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_refuses_to_change_a_log() {
    let ground = Postgres::new().await;
    let (_, run) = one_of_each(&ground).await[2];
    for statement in [
        format!("delete from runlog.events where run_id = '{run}'"),
        format!("update runlog.events set payload = '{{}}' where run_id = '{run}' and seq = 1"),
        "truncate runlog.events".to_owned(),
    ] {
        let said = ground.psql(&statement).await.unwrap_err();
        assert!(said.contains("a log is never changed"), "{statement}: {said}");
    }
    assert!(ground.count(&format!("select count(*) from runlog.events where run_id = '{run}'")).await > 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_status_is_an_error_that_names_the_row_and_harms_no_other_run() {
    let ground = Postgres::new().await;
    let runtime = ground.builder().workflow(gate()).start().await.unwrap();
    let bad = runtime.run(&gate(), 1.into()).start().await.unwrap();
    let good = runtime.run(&gate(), 1.into()).start().await.unwrap();
    ground.psql("alter type runlog.run_status add value 'PAUSED'").await.unwrap();
    ground
        .psql(&format!(
            // The strongest lock first: a claim in between two of them would be a deadlock.
            "alter table runlog.runs drop constraint runs_ended_is_let_go;
                        alter table runlog.runs disable trigger runs_status_moves;
                        update runlog.runs set status = 'PAUSED' where id = '{}'",
            bad.id()
        ))
        .await
        .unwrap();

    let error = bad.get().await.unwrap_err();

    let corrupt = matches!(&error, Error::Store(StoreError::Corrupt { table: "runlog.runs", column: "status", row, .. })
        if *row == bad.id().to_string());
    assert!(corrupt, "{error:?}");
    assert!(error.to_string().contains("PAUSED"), "{error}");
    assert!(matches!(bad.wait().await, Err(Error::Store(StoreError::Corrupt { .. }))));
    // Both are loaded together by the next owner.
    runtime.shutdown(Duration::ZERO).await.unwrap();
    let next = ground.builder().workflow(gate()).start().await.unwrap();
    next.signal(good.id(), "go", &"fine").await.unwrap();
    assert_eq!(soon("the good run", next.handle(good.id()).wait()).await.unwrap(), Status::Succeeded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_kind_is_an_error_that_names_the_row_and_harms_no_other_run() {
    let ground = Postgres::new().await;
    let first = ground.builder().workflow(gate()).start().await.unwrap();
    let bad = first.run(&gate(), 1.into()).start().await.unwrap().id();
    let good = first.run(&gate(), 1.into()).start().await.unwrap().id();
    first.shutdown(Duration::ZERO).await.unwrap();
    let insert = format!("insert into runlog.events select run_id, max(seq) + 1, 'run_paused', 1, now(), null, null, null, '{{}}'
                          from runlog.events where run_id = '{bad}' group by run_id");
    ground.psql(&insert).await.unwrap();

    let next = ground.builder().workflow(gate()).start().await.unwrap();
    next.signal(bad, "go", &"fine").await.unwrap();
    next.signal(good, "go", &"fine").await.unwrap();

    assert_eq!(soon("the good run", next.handle(good).wait()).await.unwrap(), Status::Succeeded);
    let error = next.get(bad).await.unwrap_err();
    let corrupt = matches!(&error, Error::Store(StoreError::Corrupt { table: "runlog.events", column: "kind", row, .. })
        if row.contains(&bad.to_string()));
    assert!(corrupt, "{error:?}");
    assert!(error.to_string().contains("run_paused"), "{error}");
    let status = format!("select count(*) from runlog.runs where id = '{bad}' and status = 'RUNNING'");
    assert_eq!(ground.count(&status).await, 1, "it is never taken for failed");
}
