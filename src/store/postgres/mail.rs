//! Inboxes: what was sent to runs and is not in their logs yet.

use std::collections::HashMap;

use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::archived;
use super::errors::classify;
use super::rows::{MessageRecord, corrupt, run_id};
use crate::model::{Message, MessageBody, MessageId, NodeId, RunId};
use crate::store::{Inbox, Sent, StoreError};

pub(super) async fn send(
    connection: &mut PgConnection,
    run: RunId,
    body: &MessageBody,
) -> Result<Sent, StoreError> {
    let sent = sqlx::query_file!("src/store/postgres/sql/send.sql", run.uuid(), written(body)?);
    let Some(target) = sent.fetch_optional(&mut *connection).await.map_err(classify)? else {
        let ended = archived::status(connection, run).await?;
        return Ok(ended.map_or(Sent::NotFound, |status| Sent::Finished { status }));
    };
    let owner = target.owner.map(NodeId);
    match target.message {
        Some(id) => Ok(Sent::Accepted { message: MessageId(id), owner }),
        None => {
            let status = target.status.parse();
            let unknown = |error| corrupt("runlog.runs", "status", &run, format!("{error}"));
            Ok(Sent::Finished { status: status.map_err(unknown)? })
        }
    }
}

/// Writes a message down as it stands in the inbox.
pub(super) fn written(body: &MessageBody) -> Result<String, StoreError> {
    serde_json::to_string(body)
        .map_err(|error| StoreError::Refused { message: format!("the message cannot be written: {error}") })
}

pub(super) async fn is_waiting(
    connection: &mut PgConnection,
    run: RunId,
    message: MessageId,
) -> Result<bool, StoreError> {
    let waits = sqlx::query_file_scalar!("src/store/postgres/sql/is_waiting.sql", run.uuid(), message.0);
    waits.fetch_one(connection).await.map_err(classify)
}

pub(super) async fn inbox(connection: &mut PgConnection, runs: &[RunId]) -> Result<Vec<Inbox>, StoreError> {
    let ids: Vec<Uuid> = runs.iter().map(|run| run.uuid()).collect();
    let seen = mail_seen(connection, &ids).await?;
    let mut waiting = messages(connection, &ids).await?;
    let mut inboxes = Vec::with_capacity(waiting.len());
    for (run, mail_seen) in seen {
        if let Some(messages) = waiting.remove(&run.uuid()) {
            inboxes.push(Inbox { run, mail_seen, messages: messages? });
        }
    }
    Ok(inboxes)
}

/// Reads the counts of messages ever sent to runs.
async fn mail_seen(connection: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<(RunId, i32)>, StoreError> {
    let rows = sqlx::query_file!("src/store/postgres/sql/mail_seen.sql", ids as _);
    let rows = rows.fetch_all(connection).await.map_err(classify)?;
    rows.into_iter().map(|row| Ok((run_id("runlog.runs", "id", row.id)?, row.mail))).collect()
}

type Inboxes = HashMap<Uuid, Result<Vec<Message>, StoreError>>;

/// Reads the messages that wait for runs, oldest first; an error where one cannot be read.
pub(super) async fn messages(connection: &mut PgConnection, ids: &[Uuid]) -> Result<Inboxes, StoreError> {
    let rows = sqlx::query_file_as!(MessageRecord, "src/store/postgres/sql/inboxes.sql", ids as _);
    let rows = rows.fetch_all(connection).await.map_err(classify)?;
    let mut inboxes = Inboxes::new();
    for record in rows {
        let inbox = inboxes.entry(record.run_id).or_insert_with(|| Ok(Vec::new()));
        let Ok(messages) = inbox else { continue };
        match Message::try_from(record) {
            Ok(message) => messages.push(message),
            Err(unreadable) => *inbox = Err(unreadable),
        }
    }
    Ok(inboxes)
}
