//! What is asked and done about subscriptions and trigger events.

use std::collections::BTreeSet;

use super::control::Runtime;
use super::error::Error;
use super::subscription::Subscription;
use crate::model::limits::{PAGE_ROWS_MAX, SUBSCRIBERS_MAX, SUBSCRIPTIONS_DECLARED_MAX};
use crate::model::{EventId, EventKey, Namespace, SubscriptionName};
use crate::store::{Put, SubscriptionRow, TriggerEventQuery, TriggerEventRow};

/// The subscriptions and trigger events of one namespace.
#[derive(Clone)]
pub struct Triggers<'runtime> {
    runtime: &'runtime Runtime,
    namespace: Namespace,
}

impl Runtime {
    /// Begins to ask about subscriptions and trigger events: those of the namespace `default`, unless
    /// [`Triggers::namespace`] says otherwise.
    pub fn triggers(&self) -> Triggers<'_> {
        Triggers { runtime: self, namespace: Namespace::default() }
    }

    /// Keeps what code declares: made if it is new, changed if it differs.
    pub(super) async fn declare_subscriptions(&self, subscriptions: Vec<Subscription>) -> Result<(), Error> {
        if subscriptions.is_empty() {
            return Ok(());
        }
        let refused = |problem| Error::Setting { name: "subscription", problem };
        if subscriptions.len() > SUBSCRIPTIONS_DECLARED_MAX {
            let problem =
                format!("{} of them, the limit is {SUBSCRIPTIONS_DECLARED_MAX}", subscriptions.len());
            return Err(refused(problem));
        }
        let mut new: Vec<SubscriptionRow> = Vec::with_capacity(subscriptions.len());
        for subscription in subscriptions {
            let row = subscription.checked(self, true).await?;
            if new.iter().any(|other| (&other.namespace, &other.name) == (&row.namespace, &row.name)) {
                let problem =
                    format!("{:?} is given twice: a name stands for one subscription", row.name.as_str());
                return Err(refused(problem));
            }
            new.push(row);
        }
        self.check_room(&new).await?;
        self.engine.store.put_subscriptions(&new, true).await?;
        Ok(())
    }

    /// Refuses subscriptions to a key that would have more than a push can serve. Those who make some at the same moment may
    /// come to a few more: then the push says it.
    async fn check_room(&self, new: &[SubscriptionRow]) -> Result<(), Error> {
        let limit = usize::try_from(SUBSCRIBERS_MAX).unwrap_or(usize::MAX);
        let keys: BTreeSet<_> = new.iter().map(|row| (&row.namespace, &row.key)).collect();
        for (namespace, key) in keys {
            let found =
                self.engine.store.subscriptions(namespace, Some(key), None, SUBSCRIBERS_MAX + 1).await?;
            let changes = |name: &SubscriptionName| {
                new.iter().any(|row| row.namespace == *namespace && row.name == *name)
            };
            let others = found.iter().filter(|other| !changes(&other.name)).count();
            let added = new.iter().filter(|row| row.namespace == *namespace && row.key == *key).count();
            if others + added > limit {
                let problem = format!(
                    "{:?} would have {} subscriptions, the limit is {limit}",
                    key.as_str(),
                    others + added
                );
                return Err(Error::Field { field: "key", problem });
            }
        }
        Ok(())
    }
}

impl Triggers<'_> {
    /// Sets whose subscriptions and events are asked about.
    ///
    /// # Errors
    /// [`Error::Name`].
    pub fn namespace(mut self, namespace: impl AsRef<str>) -> Result<Self, Error> {
        self.namespace = Namespace::new(namespace)?;
        Ok(self)
    }

    /// Makes a subscription: events that are pushed from now on start its runs. Its own namespace counts.
    ///
    /// # Errors
    /// [`Error::SubscriptionExists`] when the name is taken; [`Error::EventFilter`], [`Error::Name`], [`Error::Field`],
    /// [`Error::UnknownWorkflow`] for what is refused at the door; [`Error::Store`].
    pub async fn subscribe(&self, subscription: Subscription) -> Result<SubscriptionRow, Error> {
        let row = subscription.checked(self.runtime, false).await?;
        match self.keep(&row, false).await? {
            Put::Created => Ok(row),
            Put::Changed | Put::Left => Err(Error::SubscriptionExists { name: row.name.to_string() }),
        }
    }

    /// Makes a subscription, or changes the one that has its name; says whether it is new.
    ///
    /// # Errors
    /// As for [`subscribe`](Triggers::subscribe), without [`Error::SubscriptionExists`].
    pub async fn put(&self, subscription: Subscription) -> Result<(SubscriptionRow, bool), Error> {
        let row = subscription.checked(self.runtime, false).await?;
        let put = self.keep(&row, true).await?;
        Ok((row, put == Put::Created))
    }

    async fn keep(&self, row: &SubscriptionRow, replace: bool) -> Result<Put, Error> {
        let new = std::slice::from_ref(row);
        self.runtime.check_room(new).await?;
        let put = self.runtime.engine.store.put_subscriptions(new, replace).await?;
        Ok(put.first().copied().unwrap_or(Put::Left))
    }

    /// Deletes a subscription; says whether there was one. Its runs stay.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Store`].
    pub async fn unsubscribe(&self, name: &str) -> Result<bool, Error> {
        let name = SubscriptionName::new(name)?;
        Ok(self.runtime.engine.store.delete_subscription(&self.namespace, &name).await?)
    }

    /// Lists subscriptions by name, those of one key, those after a name; at most `limit`, 1 to 500.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Field`], [`Error::Store`].
    pub async fn subscriptions(
        &self,
        key: Option<&str>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<SubscriptionRow>, Error> {
        check_limit(limit)?;
        let key = key.map(EventKey::new).transpose()?;
        let after = after.map(SubscriptionName::new).transpose()?;
        let store = &self.runtime.engine.store;
        Ok(store.subscriptions(&self.namespace, key.as_ref(), after.as_ref(), limit).await?)
    }

    /// Reads a trigger event and what came of it; `None` when none of that id was pushed in the last 30 days.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Store`].
    pub async fn event(&self, id: &str) -> Result<Option<TriggerEventRow>, Error> {
        let id = EventId::new(id)?;
        Ok(self.runtime.shown().trigger_event(&self.namespace, &id).await?)
    }

    /// Lists trigger events of the last 30 days, the newest first; the query's own namespace counts. At most 500.
    ///
    /// # Errors
    /// [`Error::Field`], [`Error::Store`].
    pub async fn events(&self, query: &TriggerEventQuery) -> Result<Vec<TriggerEventRow>, Error> {
        check_limit(query.limit)?;
        Ok(self.runtime.shown().trigger_events(query).await?)
    }
}

fn check_limit(limit: u32) -> Result<(), Error> {
    if !(1..=PAGE_ROWS_MAX).contains(&limit) {
        let problem = format!("{limit} is out of range, 1 to {PAGE_ROWS_MAX}");
        return Err(Error::Field { field: "limit", problem });
    }
    Ok(())
}
