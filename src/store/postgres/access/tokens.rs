//! Tokens, of which only hashes are kept.

use sqlx::PgConnection;

use super::AccessStore;
use crate::model::{Namespace, Timestamp};
use crate::store::postgres::dedicated::within;
use crate::store::postgres::errors::classify;
use crate::store::postgres::nodes::interval;
use crate::store::{NewToken, StoreError, TokenRow};

struct TokenRecord {
    id: i64,
    name: String,
    prefix: String,
    hash: Vec<u8>,
    actions: Vec<String>,
    namespace: Option<String>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    used_at: Option<Timestamp>,
    stale: bool,
}

impl From<TokenRecord> for TokenRow {
    fn from(record: TokenRecord) -> TokenRow {
        TokenRow {
            id: record.id,
            name: record.name,
            prefix: record.prefix,
            hash: record.hash,
            actions: record.actions,
            namespace: record.namespace.as_deref().map(Namespace::recorded),
            created_at: record.created_at,
            expires_at: record.expires_at,
            revoked_at: record.revoked_at,
            used_at: record.used_at,
        }
    }
}

impl AccessStore {
    /// Finds a token that may be used now by its first characters; `right` looks at it and says whether it is the one.
    /// That it is used is noted, to the minute.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn use_token(
        &self,
        prefix: &str,
        right: impl FnOnce(&TokenRow) -> bool + Send,
    ) -> Result<Option<TokenRow>, StoreError> {
        within(async {
            let mut borrowed = self.borrow().await?;
            let connection: &mut PgConnection = &mut borrowed;
            let answer = async {
                let found =
                    sqlx::query_file_as!(TokenRecord, "src/store/postgres/sql/token_find.sql", prefix);
                let found = found.fetch_optional(&mut *connection).await.map_err(classify)?;
                let Some(record) = found else { return Ok(None) };
                let (stale, row) = (record.stale, TokenRow::from(record));
                if !right(&row) {
                    return Ok(None);
                }
                if stale {
                    let used = sqlx::query_file!("src/store/postgres/sql/token_used.sql", row.id);
                    used.execute(&mut *connection).await.map_err(classify)?;
                }
                Ok(Some(row))
            };
            let answer = answer.await;
            borrowed.settle(answer).await
        })
        .await
    }

    /// Keeps a token; `None` when its name is taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_token(&self, token: &NewToken) -> Result<Option<TokenRow>, StoreError> {
        within(async {
            let mut borrowed = self.borrow().await?;
            let connection: &mut PgConnection = &mut borrowed;
            let answer = async {
                let kept = sqlx::query_file_as!(
                    TokenRecord,
                    "src/store/postgres/sql/token_new.sql",
                    token.name,
                    token.prefix,
                    token.hash,
                    token.actions.as_slice() as _,
                    token.namespace.as_ref().map(Namespace::as_str),
                    token.lives.map(interval) as _,
                );
                let kept = kept.fetch_optional(&mut *connection).await.map_err(classify)?;
                Ok(kept.map(TokenRow::from))
            };
            let answer = answer.await;
            borrowed.settle(answer).await
        })
        .await
    }

    /// Lists the tokens that were not revoked, the newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tokens(&self, limit: u32) -> Result<Vec<TokenRow>, StoreError> {
        within(async {
            let mut borrowed = self.borrow().await?;
            let connection: &mut PgConnection = &mut borrowed;
            let answer = async {
                let rows =
                    sqlx::query_file_as!(TokenRecord, "src/store/postgres/sql/tokens.sql", i64::from(limit));
                let rows = rows.fetch_all(&mut *connection).await.map_err(classify)?;
                Ok(rows.into_iter().map(TokenRow::from).collect())
            };
            let answer = answer.await;
            borrowed.settle(answer).await
        })
        .await
    }

    /// Revokes the token called `name`; says whether there was one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn revoke_token(&self, name: &str) -> Result<bool, StoreError> {
        within(async {
            let mut borrowed = self.borrow().await?;
            let connection: &mut PgConnection = &mut borrowed;
            let answer = async {
                let revoked = sqlx::query_file!("src/store/postgres/sql/token_revoke.sql", name);
                let revoked = revoked.execute(&mut *connection).await.map_err(classify)?;
                Ok(revoked.rows_affected() > 0)
            };
            let answer = answer.await;
            borrowed.settle(answer).await
        })
        .await
    }
}
