//! Who did what.

use sqlx::PgConnection;

use super::AccessStore;
use crate::model::{Namespace, RunId};
use crate::store::postgres::dedicated::within;
use crate::store::postgres::errors::classify;
use crate::store::postgres::rows::run_id;
use crate::store::{Audited, Deed, StoreError};

impl AccessStore {
    /// Notes what was done, or tried.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note(&self, deed: &Deed) -> Result<(), StoreError> {
        within(async {
            let mut borrowed = self.borrow().await?;
            let connection: &mut PgConnection = &mut borrowed;
            let answer = async {
                let noted = sqlx::query_file!(
                    "src/store/postgres/sql/audit_note.sql",
                    deed.who,
                    deed.action,
                    deed.namespace.as_ref().map(Namespace::as_str),
                    deed.run.map(RunId::uuid),
                    deed.target,
                    deed.reason,
                    deed.outcome,
                    deed.request_id,
                );
                noted.execute(&mut *connection).await.map_err(classify).map(drop)
            };
            let answer = answer.await;
            borrowed.settle(answer).await
        })
        .await
    }

    /// Lists what was done, the newest first, at most `limit` before the one with the id `before`: by whom is bound to
    /// `namespace` only, where that is given, and to `run` only.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit(
        &self,
        namespace: Option<&Namespace>,
        run: Option<RunId>,
        before: i64,
        limit: u32,
    ) -> Result<Vec<Audited>, StoreError> {
        within(async {
            let mut borrowed = self.borrow().await?;
            let connection: &mut PgConnection = &mut borrowed;
            let answer = async {
                let rows = sqlx::query_file!(
                    "src/store/postgres/sql/audit.sql",
                    namespace.map(Namespace::as_str),
                    run.map(RunId::uuid),
                    before,
                    i64::from(limit),
                );
                let rows = rows.fetch_all(&mut *connection).await.map_err(classify)?;
                let audited = rows.into_iter().map(|row| {
                    let run = row.run_id.map(|run| run_id("runlog.audit", "run_id", run)).transpose()?;
                    let deed = Deed {
                        who: row.who,
                        action: row.action,
                        namespace: row.namespace.as_deref().map(Namespace::recorded),
                        run,
                        target: row.target,
                        reason: row.reason,
                        outcome: row.outcome,
                        request_id: row.request_id,
                    };
                    Ok(Audited { id: row.id, at: row.at, deed })
                });
                audited.collect()
            };
            let answer = answer.await;
            borrowed.settle(answer).await
        })
        .await
    }
}
