//! Subscriptions, and the statement that keeps an event with the runs that it starts.

use sqlx::PgConnection;

use super::PostgresStore;
use super::columns::{Birth, Births, Events, json};
use super::dedicated::within;
use super::errors::classify;
use super::nodes::interval;
use super::rows::corrupt;
use crate::model::limits::TRIGGER_EVENT_KEPT;
use crate::model::{EventId, EventKey, Namespace, Payload, SubscriptionName, Timestamp, WorkflowName};
use crate::store::{
    Answer, Append, NewTriggerEvent, Put, StoreError, SubscriptionRow, TriggerEventQuery, TriggerEventRow,
    Triggers,
};

/// Events that one call of [`Triggers::sweep_trigger_events`] removes.
const SWEPT_MAX: i64 = 5_000;

impl Triggers for PostgresStore {
    fn put_subscriptions<'a>(&'a self, new: &'a [SubscriptionRow], replace: bool) -> Answer<'a, Vec<Put>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = put(&mut borrowed, new, replace).await;
            borrowed.settle(answer).await
        }))
    }

    fn subscriptions<'a>(
        &'a self,
        namespace: &'a Namespace,
        key: Option<&'a EventKey>,
        after: Option<&'a SubscriptionName>,
        limit: u32,
    ) -> Answer<'a, Vec<SubscriptionRow>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = subscriptions(&mut borrowed, namespace, key, after, limit).await;
            borrowed.settle(answer).await
        }))
    }

    fn delete_subscription<'a>(
        &'a self,
        namespace: &'a Namespace,
        name: &'a SubscriptionName,
    ) -> Answer<'a, bool> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let deleted = sqlx::query_file!(
                "src/store/postgres/sql/delete_subscription.sql",
                namespace.as_str(),
                name.as_str()
            );
            let answer = deleted.execute(&mut *borrowed).await.map_err(classify);
            borrowed.settle(answer.map(|done| done.rows_affected() > 0)).await
        }))
    }

    fn push<'a>(&'a self, event: &'a NewTriggerEvent, runs: &'a [Append]) -> Answer<'a, bool> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = push(&mut borrowed, event, runs).await;
            borrowed.settle(answer).await
        }))
    }

    fn trigger_event<'a>(
        &'a self,
        namespace: &'a Namespace,
        id: &'a EventId,
    ) -> Answer<'a, Option<TriggerEventRow>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = event(&mut borrowed, namespace, id).await;
            borrowed.settle(answer).await
        }))
    }

    fn trigger_events<'a>(&'a self, query: &'a TriggerEventQuery) -> Answer<'a, Vec<TriggerEventRow>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = events(&mut borrowed, query).await;
            borrowed.settle(answer).await
        }))
    }

    fn sweep_trigger_events(&self) -> Answer<'_, u64> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let swept = sqlx::query_file!(
                "src/store/postgres/sql/sweep_trigger_events.sql",
                interval(TRIGGER_EVENT_KEPT),
                SWEPT_MAX
            );
            let answer = swept.execute(&mut *borrowed).await.map_err(classify);
            borrowed.settle(answer.map(|done| done.rows_affected())).await
        }))
    }
}

async fn put(
    connection: &mut PgConnection,
    new: &[SubscriptionRow],
    replace: bool,
) -> Result<Vec<Put>, StoreError> {
    let texts = |text: fn(&SubscriptionRow) -> &str| new.iter().map(text).collect::<Vec<_>>();
    let (namespaces, names) = (texts(|new| new.namespace.as_str()), texts(|new| new.name.as_str()));
    let (keys, workflows) = (texts(|new| new.key.as_str()), texts(|new| new.workflow.as_str()));
    let filters: Vec<_> = new.iter().map(|new| new.filter.as_deref()).collect();
    let metadata = new.iter().map(|new| json(&new.metadata)).collect::<Result<Vec<_>, _>>()?;
    let priorities: Vec<_> = new.iter().map(|new| new.priority).collect();
    let declared: Vec<_> = new.iter().map(|new| new.declared).collect();
    let by: Vec<_> = new.iter().map(|new| new.created_by.as_deref()).collect();
    let written = sqlx::query_file!(
        "src/store/postgres/sql/put_subscriptions.sql",
        namespaces.as_slice() as _,
        names.as_slice() as _,
        keys.as_slice() as _,
        filters.as_slice() as _,
        workflows.as_slice() as _,
        metadata.as_slice() as _,
        priorities.as_slice() as _,
        declared.as_slice() as _,
        by.as_slice() as _,
        replace
    );
    let written = written.fetch_all(connection).await.map_err(classify)?;
    let put = |new: &SubscriptionRow| {
        let row = written
            .iter()
            .find(|row| row.namespace == *new.namespace.as_str() && row.name == *new.name.as_str());
        Put::of(row.map(|row| row.created))
    };
    Ok(new.iter().map(put).collect())
}

async fn subscriptions(
    connection: &mut PgConnection,
    namespace: &Namespace,
    key: Option<&EventKey>,
    after: Option<&SubscriptionName>,
    limit: u32,
) -> Result<Vec<SubscriptionRow>, StoreError> {
    let (after, limit) = (after.map(|after| after.as_str()), i64::from(limit));
    let found = match key {
        Some(key) => {
            let subscribers = sqlx::query_file_as!(
                Subscribed,
                "src/store/postgres/sql/subscribers.sql",
                namespace.as_str(),
                key.as_str(),
                after,
                limit
            );
            subscribers.fetch_all(connection).await
        }
        None => {
            let subscriptions = sqlx::query_file_as!(
                Subscribed,
                "src/store/postgres/sql/subscriptions.sql",
                namespace.as_str(),
                after,
                limit
            );
            subscriptions.fetch_all(connection).await
        }
    };
    found.map_err(classify)?.into_iter().map(SubscriptionRow::try_from).collect()
}

/// A row of the table of subscriptions.
struct Subscribed {
    namespace: String,
    name: String,
    key: String,
    filter: Option<String>,
    workflow: String,
    metadata: String,
    priority: i16,
    declared: bool,
    created_by: Option<String>,
}

impl TryFrom<Subscribed> for SubscriptionRow {
    type Error = StoreError;

    fn try_from(row: Subscribed) -> Result<SubscriptionRow, StoreError> {
        let bad = |error: serde_json::Error| {
            corrupt("runlog.subscriptions", "metadata", &row.name, error.to_string())
        };
        Ok(SubscriptionRow {
            metadata: serde_json::from_str(&row.metadata).map_err(bad)?,
            namespace: Namespace::recorded(&row.namespace),
            name: SubscriptionName::recorded(&row.name),
            key: EventKey::recorded(&row.key),
            filter: row.filter,
            workflow: WorkflowName::recorded(&row.workflow),
            priority: row.priority,
            declared: row.declared,
            created_by: row.created_by,
        })
    }
}

async fn push(
    connection: &mut PgConnection,
    event: &NewTriggerEvent,
    runs: &[Append],
) -> Result<bool, StoreError> {
    let (mut births, mut events) = (Births::default(), Events::default());
    for append in runs {
        let new = append.born.as_deref().filter(|new| new.key.is_none() && new.parent.is_none());
        let bug = || StoreError::Bug { message: format!("run {} is no event's", append.run) };
        let new = new.ok_or_else(bug)?;
        let row = Birth {
            status: new.status,
            owned: false,
            wake_at: new.wake_at,
            deadline_at: new.deadline_at,
            mail: 0,
        };
        births.push(append, new, &row, None)?;
        events.push(append, None)?;
    }
    let (metadata, outcomes) = (json(&event.metadata)?, json(&event.outcomes)?);
    let pushed = sqlx::query_file_scalar!(
        "src/store/postgres/sql/push.sql",
        event.namespace.as_str(),
        event.id.as_str(),
        event.key.as_str(),
        event.payload.text(),
        metadata.as_str(),
        event.by.as_deref(),
        outcomes.as_str(),
        births.ids.as_slice() as _,
        births.workflows.as_slice() as _,
        births.versions.as_slice() as _,
        births.priorities.as_slice() as _,
        births.wake_ats.as_slice() as _,
        births.deadlines.as_slice() as _,
        births.created_ats.as_slice() as _,
        births.metadata.as_slice() as _,
        births.triggers.as_slice() as _,
        births.trigger_ids.as_slice() as _,
        births.trigger_keys.as_slice() as _,
        events.runs.as_slice() as _,
        events.seqs.as_slice() as _,
        events.kinds.as_slice() as _,
        events.schema_versions.as_slice() as _,
        events.payloads.as_slice() as _,
        births.limit_keys.as_slice() as _,
    );
    let new: i64 = pushed.fetch_one(connection).await.map_err(classify)?;
    Ok(new > 0)
}

/// A row of the table of events.
struct Record {
    namespace: String,
    id: String,
    key: String,
    payload: String,
    metadata: String,
    pushed_at: Timestamp,
    pushed_by: Option<String>,
    outcomes: String,
}

impl TryFrom<Record> for TriggerEventRow {
    type Error = StoreError;

    fn try_from(row: Record) -> Result<TriggerEventRow, StoreError> {
        let bad = |column, message: String| corrupt("runlog.trigger_events", column, &row.id, message);
        let event = NewTriggerEvent {
            namespace: Namespace::recorded(&row.namespace),
            id: EventId::recorded(&row.id),
            key: EventKey::recorded(&row.key),
            payload: Payload::parse(row.payload).map_err(|error| bad("payload", error.to_string()))?,
            metadata: serde_json::from_str(&row.metadata)
                .map_err(|error| bad("metadata", error.to_string()))?,
            by: row.pushed_by,
            outcomes: serde_json::from_str(&row.outcomes)
                .map_err(|error| bad("outcomes", error.to_string()))?,
        };
        Ok(TriggerEventRow { event, pushed_at: row.pushed_at })
    }
}

async fn event(
    connection: &mut PgConnection,
    namespace: &Namespace,
    id: &EventId,
) -> Result<Option<TriggerEventRow>, StoreError> {
    let found = sqlx::query_file_as!(
        Record,
        "src/store/postgres/sql/trigger_event.sql",
        namespace.as_str(),
        id.as_str()
    );
    found.fetch_optional(connection).await.map_err(classify)?.map(TriggerEventRow::try_from).transpose()
}

async fn events(
    connection: &mut PgConnection,
    query: &TriggerEventQuery,
) -> Result<Vec<TriggerEventRow>, StoreError> {
    let (at, id) = query.after.as_ref().map(|(at, id)| (*at, id.as_str())).unzip();
    let limit = i64::from(query.limit);
    let found = match &query.key {
        Some(key) => {
            let of_key = sqlx::query_file_as!(
                Record,
                "src/store/postgres/sql/trigger_events_of_key.sql",
                query.namespace.as_str(),
                key.as_str(),
                at,
                id,
                limit
            );
            of_key.fetch_all(connection).await
        }
        None => {
            let all = sqlx::query_file_as!(
                Record,
                "src/store/postgres/sql/trigger_events.sql",
                query.namespace.as_str(),
                at,
                id,
                limit
            );
            all.fetch_all(connection).await
        }
    };
    found.map_err(classify)?.into_iter().map(TriggerEventRow::try_from).collect()
}
