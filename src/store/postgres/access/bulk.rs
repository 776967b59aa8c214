//! Actions on many runs.

use std::time::Duration;

use sqlx::PgConnection;

use super::AccessStore;
use crate::model::{BulkId, Namespace, RunId};
use crate::store::postgres::dedicated::within;
use crate::store::postgres::errors::classify;
use crate::store::postgres::nodes::interval;
use crate::store::postgres::rows::run_id;
use crate::store::{BulkItem, BulkRow, NewBulk, StoreError};

impl AccessStore {
    /// Keeps a bulk action with its runs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_bulk(&self, bulk: &NewBulk) -> Result<(), StoreError> {
        within(async {
            let mut borrowed = self.borrow().await?;
            let answer = keep(&mut borrowed, bulk).await;
            borrowed.settle(answer).await
        })
        .await
    }

    /// Reads a bulk action.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn bulk(&self, id: BulkId) -> Result<Option<BulkRow>, StoreError> {
        within(async {
            let mut borrowed = self.borrow().await?;
            let answer = find(&mut borrowed, id).await;
            borrowed.settle(answer).await
        })
        .await
    }

    /// Lists bulk actions that are not finished and that nobody is at, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn bulks_left(&self, limit: u32) -> Result<Vec<BulkId>, StoreError> {
        within(async {
            let mut borrowed = self.borrow().await?;
            let answer = left(&mut borrowed, limit).await;
            borrowed.settle(answer).await
        })
        .await
    }

    /// Takes a bulk action for `holder`, for `lease` from now; says whether that did.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_bulk(&self, id: BulkId, holder: i64, lease: Duration) -> Result<bool, StoreError> {
        within(async {
            let mut borrowed = self.borrow().await?;
            let taken = sqlx::query_file!(
                "src/store/postgres/sql/bulk_take.sql",
                id.0.uuid(),
                holder,
                interval(lease) as _
            );
            let answer = taken.execute(&mut *borrowed).await.map_err(classify);
            Ok(borrowed.settle(answer).await?.rows_affected() > 0)
        })
        .await
    }

    /// Reads the next runs of a bulk action that are not answered for, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_items(&self, id: BulkId, limit: u32) -> Result<Vec<RunId>, StoreError> {
        within(async {
            let mut borrowed = self.borrow().await?;
            let answer = open_items(&mut borrowed, id, limit).await;
            borrowed.settle(answer).await
        })
        .await
    }

    /// Keeps answers and renews the lease of `holder`; says whether it still had it. Without, nothing is kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn answer_items(
        &self,
        id: BulkId,
        holder: i64,
        lease: Duration,
        answers: &[BulkItem],
    ) -> Result<bool, StoreError> {
        within(async {
            let mut borrowed = self.borrow().await?;
            let answer = answer_items(&mut borrowed, id, holder, lease, answers).await;
            borrowed.settle(answer).await
        })
        .await
    }

    /// Ends a bulk action when all its runs are answered for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish_bulk(&self, id: BulkId, holder: i64) -> Result<(), StoreError> {
        within(async {
            let mut borrowed = self.borrow().await?;
            let ended = sqlx::query_file!("src/store/postgres/sql/bulk_finish.sql", id.0.uuid(), holder);
            let answer = ended.execute(&mut *borrowed).await.map_err(classify);
            borrowed.settle(answer).await.map(drop)
        })
        .await
    }

    /// Reads the runs of a bulk action with their answers, those after place `after`, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn bulk_items(&self, id: BulkId, after: u32, limit: u32) -> Result<Vec<BulkItem>, StoreError> {
        within(async {
            let mut borrowed = self.borrow().await?;
            let answer = items(&mut borrowed, id, after, limit).await;
            borrowed.settle(answer).await
        })
        .await
    }
}

async fn keep(connection: &mut PgConnection, bulk: &NewBulk) -> Result<(), StoreError> {
    let runs: Vec<_> = bulk.items.iter().map(|item| item.run.uuid()).collect();
    let outcomes: Vec<Option<&str>> = bulk.items.iter().map(|item| item.outcome.as_deref()).collect();
    let details: Vec<Option<&str>> = bulk.items.iter().map(|item| item.detail.as_deref()).collect();
    let kept = sqlx::query_file!(
        "src/store/postgres/sql/bulk_new.sql",
        bulk.id.0.uuid(),
        bulk.who,
        bulk.namespace.as_ref().map(Namespace::as_str),
        bulk.action,
        bulk.options,
        bulk.query,
        bulk.reason,
        bulk.rate.map(|rate| i32::try_from(rate).unwrap_or(i32::MAX)),
        runs.as_slice() as _,
        outcomes.as_slice() as _,
        details.as_slice() as _,
    );
    kept.execute(connection).await.map_err(classify).map(drop)
}

async fn find(connection: &mut PgConnection, id: BulkId) -> Result<Option<BulkRow>, StoreError> {
    let found = sqlx::query_file!("src/store/postgres/sql/bulk_find.sql", id.0.uuid());
    let found = found.fetch_optional(connection).await.map_err(classify)?;
    let count = |count: i32| u32::try_from(count).unwrap_or_default();
    Ok(found.map(|row| BulkRow {
        id,
        who: row.who,
        namespace: row.namespace.as_deref().map(Namespace::recorded),
        action: row.action,
        options: row.options,
        query: row.query,
        reason: row.reason,
        rate: row.rate.map(count),
        total: count(row.total),
        done: count(row.done),
        refused: count(row.refused),
        created_at: row.created_at,
        finished_at: row.finished_at,
        left: row.left,
    }))
}

async fn left(connection: &mut PgConnection, limit: u32) -> Result<Vec<BulkId>, StoreError> {
    let left = sqlx::query_file_scalar!("src/store/postgres/sql/bulk_left.sql", i64::from(limit));
    let left = left.fetch_all(connection).await.map_err(classify)?;
    left.into_iter().map(|id| Ok(BulkId(run_id("runlog.bulk", "id", id)?))).collect()
}

async fn open_items(connection: &mut PgConnection, id: BulkId, limit: u32) -> Result<Vec<RunId>, StoreError> {
    let open = sqlx::query_file!("src/store/postgres/sql/bulk_open_items.sql", id.0.uuid(), i64::from(limit));
    let open = open.fetch_all(connection).await.map_err(classify)?;
    open.into_iter().map(|row| run_id("runlog.bulk_items", "run_id", row.run_id)).collect()
}

async fn answer_items(
    connection: &mut PgConnection,
    id: BulkId,
    holder: i64,
    lease: Duration,
    answers: &[BulkItem],
) -> Result<bool, StoreError> {
    let runs: Vec<_> = answers.iter().map(|answer| answer.run.uuid()).collect();
    let outcomes: Vec<Option<&str>> = answers.iter().map(|answer| answer.outcome.as_deref()).collect();
    let details: Vec<Option<&str>> = answers.iter().map(|answer| answer.detail.as_deref()).collect();
    let new: Vec<_> = answers.iter().map(|answer| answer.new_run.map(RunId::uuid)).collect();
    let kept = sqlx::query_file_scalar!(
        "src/store/postgres/sql/bulk_answer.sql",
        id.0.uuid(),
        holder,
        interval(lease) as _,
        runs.as_slice() as _,
        outcomes.as_slice() as _,
        details.as_slice() as _,
        new.as_slice() as _,
    );
    Ok(kept.fetch_optional(connection).await.map_err(classify)?.is_some())
}

async fn items(
    connection: &mut PgConnection,
    id: BulkId,
    after: u32,
    limit: u32,
) -> Result<Vec<BulkItem>, StoreError> {
    let after = i32::try_from(after).unwrap_or(i32::MAX);
    let rows =
        sqlx::query_file!("src/store/postgres/sql/bulk_items.sql", id.0.uuid(), after, i64::from(limit));
    let rows = rows.fetch_all(connection).await.map_err(classify)?;
    let item = rows.into_iter().map(|row| {
        let new_run = row.new_run.map(|new| run_id("runlog.bulk_items", "new_run", new)).transpose()?;
        Ok(BulkItem {
            place: u32::try_from(row.place).unwrap_or_default(),
            run: run_id("runlog.bulk_items", "run_id", row.run_id)?,
            outcome: row.outcome,
            detail: row.detail,
            new_run,
        })
    });
    item.collect()
}
