//! Pushing trigger events.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::control::{Runtime, check_text};
use super::error::Error;
use super::wanted::add_metadata;
use crate::actor::{Born, Start, Versions};
use crate::model::event::Trigger;
use crate::model::limits::{
    EVENT_PAYLOAD_BYTES_MAX, METADATA_PAIRS_MAX, PUSH_RETRY_AFTER, REFUSAL_CHARS_MAX, SUBSCRIBERS_MAX,
};
use crate::model::trigger::{EventFacts, Outcome};
use crate::model::{EventId, EventKey, Namespace, Payload, TraceContext, TraceState};
use crate::store::{Append, NewTriggerEvent, StoreError, SubscriptionRow};

/// A message from outside that starts a run of every workflow that subscribed to its key.
#[derive(Clone, Debug)]
#[must_use = "an event starts runs when it is pushed"]
pub struct TriggerEvent {
    wanted: Result<NewTriggerEvent, Arc<Error>>,
}

/// What became of a trigger event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Whether it is new; of an event whose id was pushed before, what came of it then.
    pub is_new: bool,
    /// One for each subscription to its key.
    pub outcomes: Vec<Outcome>,
}

impl TriggerEvent {
    /// Makes one: the same id is the same event, for 30 days; the key is what subscriptions name.
    pub fn new<T: Serialize + ?Sized>(
        id: impl AsRef<str>,
        key: impl AsRef<str>,
        payload: &T,
    ) -> TriggerEvent {
        let payload = Payload::of(payload);
        TriggerEvent { wanted: begun(id.as_ref(), key.as_ref(), payload).map_err(Arc::new) }
    }

    /// As [`new`](TriggerEvent::new), with a payload that is JSON already.
    pub fn json(id: impl AsRef<str>, key: impl AsRef<str>, payload: impl Into<String>) -> TriggerEvent {
        let payload = Payload::parse(payload);
        TriggerEvent { wanted: begun(id.as_ref(), key.as_ref(), payload).map_err(Arc::new) }
    }

    /// Adds tags, which its runs get, too: at most 32 pairs, values of at most 1,024 bytes. `traceparent` and `tracestate` are
    /// no tags: they name the span that the runs are started under.
    pub fn metadata<K: Into<String>, V: Into<String>>(self, pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        self.change(|wanted| add_metadata(&mut wanted.metadata, pairs))
    }

    /// Sets whose it is: subscriptions of other namespaces do not hear of it. Default: `default`.
    pub fn namespace(self, namespace: impl AsRef<str>) -> Self {
        self.change(|wanted| {
            wanted.namespace = Namespace::new(namespace)?;
            Ok(())
        })
    }

    /// Sets who pushes it. Default: nobody is named.
    pub fn by(self, by: impl Into<String>) -> Self {
        let by = by.into();
        self.change(|wanted| {
            check_text("by", Some(&by))?;
            wanted.by = Some(by);
            Ok(())
        })
    }

    fn change(mut self, change: impl FnOnce(&mut NewTriggerEvent) -> Result<(), Error>) -> Self {
        self.wanted = self.wanted.and_then(|mut wanted| {
            change(&mut wanted).map_err(Arc::new)?;
            Ok(wanted)
        });
        self
    }
}

fn begun(
    id: &str,
    key: &str,
    payload: Result<Payload, crate::model::PayloadError>,
) -> Result<NewTriggerEvent, Error> {
    let payload = payload.map_err(|source| Error::Payload { field: "payload", source })?;
    let bytes = payload.text().len();
    if bytes > EVENT_PAYLOAD_BYTES_MAX {
        let problem = format!(
            "{bytes} bytes, the limit of an event is {EVENT_PAYLOAD_BYTES_MAX}: keep it elsewhere and send where"
        );
        return Err(Error::Field { field: "payload", problem });
    }
    Ok(NewTriggerEvent {
        namespace: Namespace::default(),
        id: EventId::new(id)?,
        key: EventKey::new(key)?,
        payload,
        metadata: BTreeMap::new(),
        by: None,
        outcomes: Vec::new(),
    })
}

impl Runtime {
    /// Pushes a trigger event: keeps it and starts a run for every subscription to its key whose filter wants it, all in one
    /// commit. An event whose id was pushed before starts nothing, and is answered with what came of it then.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Payload`], [`Error::Field`] for what is refused at the door; [`Error::TooManyEvents`] when as
    /// many are under way here as a process takes at a time: nothing was done, push it again after a while;
    /// [`Error::NotRunning`], [`Error::Store`].
    pub async fn push(&self, event: TriggerEvent) -> Result<Pushed, Error> {
        let mut event = event.wanted.map_err(Error::shared)?;
        let engine = &self.engine;
        if engine.admission.is_closed() {
            return Err(Error::NotRunning);
        }
        let Ok(_place) = engine.pushes.try_acquire() else {
            return Err(Error::TooManyEvents { retry_after: PUSH_RETRY_AFTER });
        };
        let limit = SUBSCRIBERS_MAX + 1;
        let subscribed = engine.store.subscriptions(&event.namespace, Some(&event.key), None, limit).await?;
        if subscribed.len() > usize::try_from(SUBSCRIBERS_MAX).unwrap_or(usize::MAX) {
            let problem =
                format!("over {SUBSCRIBERS_MAX} subscriptions to {:?}: the limit", event.key.as_str());
            return Err(Error::Field { field: "key", problem });
        }
        let filters: Vec<_> = subscribed.iter().map(|subscription| subscription.filter.as_deref()).collect();
        let (id, key) = (event.id.as_str(), event.key.as_str());
        let facts = EventFacts { id, key, payload: &event.payload, metadata: &event.metadata };
        let refusals = facts.refusals(&filters).map_err(|error| {
            tracing::warn!(%error, "no thread to evaluate filters on: an event is refused");
            Error::TooManyEvents { retry_after: PUSH_RETRY_AFTER }
        })?;
        let (mut runs, mut versions) = (Vec::new(), Versions::default());
        for (subscription, refusal) in subscribed.iter().zip(refusals) {
            let start = match refusal {
                Some(refusal) => Err(refusal),
                None => self.start_of(&event, subscription, &mut versions).await?,
            };
            event.outcomes.push(Outcome {
                subscription: subscription.name.to_string(),
                workflow: subscription.workflow.to_string(),
                run: start.as_ref().ok().map(|append| append.run),
                refused: start
                    .as_ref()
                    .err()
                    .map(|refusal| refusal.chars().take(REFUSAL_CHARS_MAX).collect()),
            });
            runs.extend(start);
        }
        if engine.store.push(&event, &runs).await? {
            if !runs.is_empty() {
                engine.enqueued(&runs);
            }
            return Ok(Pushed { is_new: true, outcomes: event.outcomes });
        }
        let known = engine.store.trigger_event(&event.namespace, &event.id).await?;
        let bug =
            || StoreError::Bug { message: format!("event {:?} is neither new nor known", event.id.as_str()) };
        Ok(Pushed { is_new: false, outcomes: known.ok_or_else(bug)?.event.outcomes })
    }

    /// Makes the run that a subscription starts, or says why it starts none.
    async fn start_of(
        &self,
        event: &NewTriggerEvent,
        subscription: &SubscriptionRow,
        versions: &mut Versions,
    ) -> Result<Result<Append, String>, Error> {
        let engine = &self.engine;
        let Some(target) = versions.of(engine, &subscription.workflow).await? else {
            return Ok(Err(format!("workflow {:?} is unknown", subscription.workflow.as_str())));
        };
        if let Some(code) = engine.registry.newest(subscription.workflow.as_str())
            && let Err(error) = (code.check_input)(&event.payload)
        {
            return Ok(Err(format!("the payload is no input of the workflow: {error}")));
        }
        let mut metadata = subscription.metadata.clone();
        metadata.extend(event.metadata.clone());
        let trace = trace_of(&mut metadata);
        if metadata.len() > METADATA_PAIRS_MAX {
            return Ok(Err(format!(
                "{} pairs of metadata with its own, the limit is {METADATA_PAIRS_MAX}",
                metadata.len()
            )));
        }
        let limit = match target.limited(&event.payload, &metadata) {
            Ok(limit) => limit,
            Err(problem) => return Ok(Err(problem)),
        };
        let start = Start {
            workflow: subscription.workflow.clone(),
            version: target.version.clone(),
            namespace: event.namespace.clone(),
            key: None,
            input: event.payload.clone(),
            metadata,
            priority: subscription.priority,
            start_at: None,
            timeout: target.timeout,
            start_timeout: target.start_timeout,
            trigger: Trigger::Event {
                id: event.id.to_string(),
                key: event.key.to_string(),
                payload: event.payload.clone(),
            },
            parent: None,
            trace: trace.or_else(crate::telemetry::caller),
            limit,
            taken_over: Vec::new(),
        };
        Ok(Ok(Born::queued(engine.clock.new_run_id(), &start, engine.clock.now())?.append))
    }
}

/// Takes the span that the event was sent under out of its tags. As the standard wants it, one that cannot be read is passed
/// over.
fn trace_of(metadata: &mut BTreeMap<String, String>) -> Option<TraceContext> {
    let (parent, state) = (metadata.remove("traceparent"), metadata.remove("tracestate"));
    let context = TraceContext::parse(&parent?).ok()?;
    let state = state.and_then(|state| TraceState::parse(&state).ok()).flatten();
    Some(TraceContext { state, ..context })
}
