//! Requests that must not be done twice.

use sqlx::PgConnection;

use super::AccessStore;
use crate::model::limits::{IDEMPOTENCY_BUSY_MAX, IDEMPOTENCY_KEPT};
use crate::store::postgres::dedicated::within;
use crate::store::postgres::errors::classify;
use crate::store::postgres::nodes::interval;
use crate::store::{Begun, KeptAnswer, StoreError};

/// Old answers that one new request removes: more than come in.
const EXPIRED_AT_ONCE: i64 = 100;

impl AccessStore {
    /// Takes the key of a request whose hash is `request`, or says what became of it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin(&self, scope: &str, key: &str, request: &[u8]) -> Result<Begun, StoreError> {
        within(async {
            let mut borrowed = self.borrow().await?;
            let connection: &mut PgConnection = &mut borrowed;
            let answer = async {
                let kept = interval(IDEMPOTENCY_KEPT);
                let expired =
                    sqlx::query_file!("src/store/postgres/sql/idempotency_expire.sql", kept, EXPIRED_AT_ONCE);
                expired.execute(&mut *connection).await.map_err(classify)?;
                let (busy, kept) = (interval(IDEMPOTENCY_BUSY_MAX), interval(IDEMPOTENCY_KEPT));
                let taken = sqlx::query_file_scalar!(
                    "src/store/postgres/sql/idempotency_begin.sql",
                    scope,
                    key,
                    request,
                    busy,
                    kept,
                );
                if taken.fetch_optional(&mut *connection).await.map_err(classify)?.is_some() {
                    return Ok(Begun::New);
                }
                let found = sqlx::query_file!("src/store/postgres/sql/idempotency_find.sql", scope, key);
                let found = found.fetch_optional(&mut *connection).await.map_err(classify)?;
                Ok(match found {
                    Some(found) if found.request != request => Begun::Other,
                    Some(found) => {
                        match (found.status.and_then(|status| u16::try_from(status).ok()), found.body) {
                            (Some(status), Some(body)) => {
                                Begun::Answered(KeptAnswer { status, location: found.location, body })
                            }
                            (None, _) | (_, None) => Begun::Busy,
                        }
                    }
                    // Dropped between the two questions: whoever asks again takes it.
                    None => Begun::Busy,
                })
            };
            let answer = answer.await;
            borrowed.settle(answer).await
        })
        .await
    }

    /// Keeps the answer to a request that was [`New`](Begun::New).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish(&self, scope: &str, key: &str, answer: &KeptAnswer) -> Result<(), StoreError> {
        within(async {
            let mut borrowed = self.borrow().await?;
            let connection: &mut PgConnection = &mut borrowed;
            let answer = async {
                let status = i16::try_from(answer.status).unwrap_or(i16::MAX);
                let kept = sqlx::query_file!(
                    "src/store/postgres/sql/idempotency_finish.sql",
                    scope,
                    key,
                    status,
                    answer.location,
                    answer.body,
                );
                kept.execute(&mut *connection).await.map_err(classify).map(drop)
            };
            let answer = answer.await;
            borrowed.settle(answer).await
        })
        .await
    }

    /// Forgets a request that came to nothing: it may be tried again with the same key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn give_up(&self, scope: &str, key: &str) -> Result<(), StoreError> {
        within(async {
            let mut borrowed = self.borrow().await?;
            let connection: &mut PgConnection = &mut borrowed;
            let answer = async {
                let dropped = sqlx::query_file!("src/store/postgres/sql/idempotency_drop.sql", scope, key);
                dropped.execute(&mut *connection).await.map_err(classify).map(drop)
            };
            let answer = answer.await;
            borrowed.settle(answer).await
        })
        .await
    }
}
