//! Subscriptions and trigger events.

use std::collections::BTreeMap;

use super::MemoryStore;
use super::faults::Call;
use super::simulated::Mutant;
use crate::model::limits::TRIGGER_EVENT_KEPT;
use crate::model::{EventId, EventKey, Namespace, SubscriptionName};
use crate::store::{
    Answer, Append, NewTriggerEvent, Put, SubscriptionRow, TriggerEventQuery, TriggerEventRow, Triggers,
};

/// The tables of trigger events.
#[derive(Default)]
pub(super) struct Mailroom {
    subscriptions: BTreeMap<(Namespace, SubscriptionName), SubscriptionRow>,
    events: BTreeMap<(Namespace, EventId), TriggerEventRow>,
}

impl Triggers for MemoryStore {
    fn put_subscriptions<'a>(&'a self, new: &'a [SubscriptionRow], replace: bool) -> Answer<'a, Vec<Put>> {
        self.call(Call::of("put_subscriptions"), move |world, _| {
            let put = |new: &SubscriptionRow| {
                let place = (new.namespace.clone(), new.name.clone());
                let there = world.mailroom.subscriptions.get(&place);
                let same = there.is_some_and(|there| {
                    SubscriptionRow { created_by: new.created_by.clone(), ..there.clone() } == *new
                });
                let answer = match there {
                    None => Put::Created,
                    Some(_) if replace && !same => Put::Changed,
                    Some(_) => return Put::Left,
                };
                world.mailroom.subscriptions.insert(place, new.clone());
                answer
            };
            Ok(new.iter().map(put).collect())
        })
    }

    fn subscriptions<'a>(
        &'a self,
        namespace: &'a Namespace,
        key: Option<&'a EventKey>,
        after: Option<&'a SubscriptionName>,
        limit: u32,
    ) -> Answer<'a, Vec<SubscriptionRow>> {
        self.call(Call::of("subscriptions"), move |world, _| {
            let wanted = |row: &&SubscriptionRow| {
                row.namespace == *namespace
                    && key.is_none_or(|key| row.key == *key)
                    && after.is_none_or(|after| row.name > *after)
            };
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            Ok(world.mailroom.subscriptions.values().filter(wanted).take(limit).cloned().collect())
        })
    }

    fn delete_subscription<'a>(
        &'a self,
        namespace: &'a Namespace,
        name: &'a SubscriptionName,
    ) -> Answer<'a, bool> {
        self.call(Call::of("delete_subscription"), move |world, _| {
            Ok(world.mailroom.subscriptions.remove(&(namespace.clone(), name.clone())).is_some())
        })
    }

    fn push<'a>(&'a self, event: &'a NewTriggerEvent, runs: &'a [Append]) -> Answer<'a, bool> {
        if !runs.is_empty() && self.world().is_mutant(Mutant::EventsBeforeTheirRuns) {
            return Box::pin(async move {
                let is_new = self.push(event, &[]).await?;
                let late = if is_new { runs } else { &[] };
                self.call(Call::of("create"), move |world, now| world.create(late, now)).await?;
                Ok(is_new)
            });
        }
        self.call(Call::of("push"), move |world, now| {
            let place = (event.namespace.clone(), event.id.clone());
            let is_known = world.mailroom.events.contains_key(&place);
            if is_known && !world.is_mutant(Mutant::KnownEventsStartAgain) {
                return Ok(false);
            }
            world.create(runs, now)?;
            world.mailroom.events.insert(place, TriggerEventRow { event: event.clone(), pushed_at: now });
            Ok(true)
        })
    }

    fn trigger_event<'a>(
        &'a self,
        namespace: &'a Namespace,
        id: &'a EventId,
    ) -> Answer<'a, Option<TriggerEventRow>> {
        self.call(Call::of("trigger_event"), move |world, _| {
            Ok(world.mailroom.events.get(&(namespace.clone(), id.clone())).cloned())
        })
    }

    fn trigger_events<'a>(&'a self, query: &'a TriggerEventQuery) -> Answer<'a, Vec<TriggerEventRow>> {
        self.call(Call::of("trigger_events"), move |world, _| {
            let wanted = |row: &&TriggerEventRow| {
                let later = |(at, id): &(_, EventId)| {
                    row.pushed_at < *at || (row.pushed_at == *at && row.event.id > *id)
                };
                row.event.namespace == query.namespace
                    && query.key.as_ref().is_none_or(|key| row.event.key == *key)
                    && query.after.as_ref().is_none_or(later)
            };
            let mut rows: Vec<TriggerEventRow> =
                world.mailroom.events.values().filter(wanted).cloned().collect();
            rows.sort_by(|a, b| b.pushed_at.cmp(&a.pushed_at).then_with(|| a.event.id.cmp(&b.event.id)));
            rows.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
            Ok(rows)
        })
    }

    fn sweep_trigger_events(&self) -> Answer<'_, u64> {
        self.call(Call::of("sweep_trigger_events"), |world, now| {
            let before = world.mailroom.events.len();
            let is_old = |row: &TriggerEventRow| {
                (now - row.pushed_at).to_std().is_ok_and(|age| age > TRIGGER_EVENT_KEPT)
            };
            world.mailroom.events.retain(|_, row| !is_old(row));
            Ok(u64::try_from(before - world.mailroom.events.len()).unwrap_or_default())
        })
    }
}
