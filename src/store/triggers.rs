//! What the engine asks of its storage about trigger events.

use std::collections::BTreeMap;

use super::schedules::Put;
use super::{Answer, Append};
use crate::model::trigger::Outcome;
use crate::model::{EventId, EventKey, Namespace, Payload, SubscriptionName, Timestamp, WorkflowName};

/// Subscriptions, and the trigger events that were pushed.
///
/// Every method is one atomic step, as those of [`Store`](super::Store).
pub trait Triggers: Send + Sync + 'static {
    /// Keeps subscriptions, and with `replace` changes those whose name is taken. Answers for each, in order.
    ///
    /// No two of them may have the same namespace and name.
    fn put_subscriptions<'a>(&'a self, new: &'a [SubscriptionRow], replace: bool) -> Answer<'a, Vec<Put>>;

    /// Lists the subscriptions of a namespace by name, those of one key, those after a name; at most `limit`.
    fn subscriptions<'a>(
        &'a self,
        namespace: &'a Namespace,
        key: Option<&'a EventKey>,
        after: Option<&'a SubscriptionName>,
        limit: u32,
    ) -> Answer<'a, Vec<SubscriptionRow>>;

    /// Deletes a subscription; says whether there was one.
    fn delete_subscription<'a>(
        &'a self,
        namespace: &'a Namespace,
        name: &'a SubscriptionName,
    ) -> Answer<'a, bool>;

    /// Keeps an event and creates the runs that it starts, all in one step; of an event whose id is known nothing is done.
    /// Says whether it is new.
    fn push<'a>(&'a self, event: &'a NewTriggerEvent, runs: &'a [Append]) -> Answer<'a, bool>;

    /// Reads an event by its id.
    fn trigger_event<'a>(
        &'a self,
        namespace: &'a Namespace,
        id: &'a EventId,
    ) -> Answer<'a, Option<TriggerEventRow>>;

    /// Lists events, the newest first.
    fn trigger_events<'a>(&'a self, query: &'a TriggerEventQuery) -> Answer<'a, Vec<TriggerEventRow>>;

    /// Removes a bounded number of events that were pushed 30 days ago; says how many.
    fn sweep_trigger_events(&self) -> Answer<'_, u64>;
}

/// Who wants which events, and what each of them starts.
#[derive(Clone, Debug, PartialEq)]
pub struct SubscriptionRow {
    /// Whose it is, and its runs.
    pub namespace: Namespace,
    /// Its name, unique in the namespace.
    pub name: SubscriptionName,
    /// Of the events that it is about.
    pub key: EventKey,
    /// Which of them; `None` = all.
    pub filter: Option<String>,
    /// What each of them starts; its newest version.
    pub workflow: WorkflowName,
    /// Tags of each run, besides those of the event.
    pub metadata: BTreeMap<String, String>,
    /// Of each run; higher goes first.
    pub priority: i16,
    /// Whether code declares it.
    pub declared: bool,
    /// Who made it.
    pub created_by: Option<String>,
}

/// An event to be kept, with what comes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTriggerEvent {
    /// Whose it is, and the runs that it starts.
    pub namespace: Namespace,
    /// Its id: the same one is the same event.
    pub id: EventId,
    /// What subscriptions know it by.
    pub key: EventKey,
    /// What it carries.
    pub payload: Payload,
    /// Its tags.
    pub metadata: BTreeMap<String, String>,
    /// Who pushed it.
    pub by: Option<String>,
    /// What became of it at each subscription.
    pub outcomes: Vec<Outcome>,
}

/// An event that was pushed.
#[derive(Clone, Debug, PartialEq)]
pub struct TriggerEventRow {
    /// What was pushed, and what came of it.
    pub event: NewTriggerEvent,
    /// When.
    pub pushed_at: Timestamp,
}

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct TriggerEventQuery {
    /// Whose.
    pub namespace: Namespace,
    /// Of one key.
    pub key: Option<EventKey>,
    /// Those that come after this one, in the order of the list.
    pub after: Option<(Timestamp, EventId)>,
    /// How many at most.
    pub limit: u32,
}
