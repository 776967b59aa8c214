//! What holds runs back.

use sqlx::types::Uuid;

use super::PostgresStore;
use super::dedicated::within;
use super::errors::classify;
use super::rows::run_ids;
use crate::model::{Namespace, RunId, Timestamp, WorkflowName};
use crate::store::{Answer, Flow, NewPause, Pause};

/// A row of `runlog.pauses`.
struct PauseRecord {
    workflow: String,
    namespace: String,
    since: Timestamp,
    who: Option<String>,
    reason: Option<String>,
}

impl From<PauseRecord> for Pause {
    fn from(row: PauseRecord) -> Pause {
        Pause {
            workflow: WorkflowName::recorded(&row.workflow),
            namespace: Namespace::recorded(&row.namespace),
            since: row.since,
            by: row.who,
            reason: row.reason,
        }
    }
}

impl Flow for PostgresStore {
    fn pause<'a>(&'a self, pause: &'a NewPause) -> Answer<'a, bool> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let paused = sqlx::query_file!(
                "src/store/postgres/sql/pause.sql",
                pause.workflow.as_str(),
                pause.namespace.as_str(),
                pause.by.as_deref(),
                pause.reason.as_deref()
            );
            let answer = paused.execute(&mut *borrowed).await.map_err(classify);
            borrowed.settle(answer.map(|done| done.rows_affected() > 0)).await
        }))
    }

    fn resume<'a>(&'a self, workflow: &'a WorkflowName, namespace: &'a Namespace) -> Answer<'a, bool> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let resumed =
                sqlx::query_file!("src/store/postgres/sql/resume.sql", workflow.as_str(), namespace.as_str());
            let answer = resumed.execute(&mut *borrowed).await.map_err(classify);
            borrowed.settle(answer.map(|done| done.rows_affected() > 0)).await
        }))
    }

    fn pauses<'a>(&'a self, namespace: Option<&'a Namespace>, limit: u32) -> Answer<'a, Vec<Pause>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let namespace = namespace.map(|namespace| namespace.as_str());
            let pauses = sqlx::query_file_as!(
                PauseRecord,
                "src/store/postgres/sql/pauses.sql",
                namespace,
                i64::from(limit)
            );
            let answer = pauses.fetch_all(&mut *borrowed).await.map_err(classify);
            borrowed.settle(answer.map(|rows| rows.into_iter().map(Pause::from).collect())).await
        }))
    }

    fn pause_of<'a>(
        &'a self,
        workflow: &'a WorkflowName,
        namespace: &'a Namespace,
    ) -> Answer<'a, Option<Pause>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let pause = sqlx::query_file_as!(
                PauseRecord,
                "src/store/postgres/sql/pause_of.sql",
                workflow.as_str(),
                namespace.as_str()
            );
            let answer = pause.fetch_optional(&mut *borrowed).await.map_err(classify);
            borrowed.settle(answer.map(|row| row.map(Pause::from))).await
        }))
    }

    fn held_back<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<RunId>> {
        Box::pin(within(async move {
            let ids: Vec<Uuid> = runs.iter().map(|run| run.uuid()).collect();
            let mut borrowed = self.borrow().await?;
            let held = sqlx::query_file_scalar!("src/store/postgres/sql/held_back.sql", ids.as_slice() as _);
            let answer = held.fetch_all(&mut *borrowed).await.map_err(classify).and_then(run_ids);
            borrowed.settle(answer).await
        }))
    }
}
