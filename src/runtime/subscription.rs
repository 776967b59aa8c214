//! A subscription, as whoever makes one says it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::control::{Runtime, check_text};
use super::error::Error;
use super::wanted::{add_metadata, check_priority};
use crate::model::trigger::EventFilter;
use crate::model::{EventKey, Namespace, SubscriptionName, WorkflowName};
use crate::store::SubscriptionRow;
use crate::workflow::Workflow;

/// What starts a run of a workflow for each trigger event of a key, with the event's payload as its input.
///
/// ```
/// # fn invoice() -> runlog::Workflow<u32, u32> {
/// #     runlog::Workflow::function("invoice", |_, order: u32| async move { anyhow::Ok(order) })
/// # }
/// # fn invoices() -> runlog::Subscription {
/// runlog::Subscription::new("invoices", "order.paid", &invoice()).filter("payload.total > 100")
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a subscription starts runs when a runtime has it"]
pub struct Subscription {
    wanted: Result<SubscriptionRow, Arc<Error>>,
}

impl Subscription {
    /// Makes one of a workflow, by a name that is unique in its namespace, to the events of a key.
    pub fn new<I, O>(name: impl AsRef<str>, key: impl AsRef<str>, workflow: &Workflow<I, O>) -> Subscription {
        let workflow = || Ok(workflow.definition()?.name.clone());
        Subscription { wanted: begun(name.as_ref(), key.as_ref(), workflow()).map_err(Arc::new) }
    }

    /// As [`new`](Subscription::new), of a workflow by its name.
    pub fn by_name(name: impl AsRef<str>, key: impl AsRef<str>, workflow: impl AsRef<str>) -> Subscription {
        let workflow = WorkflowName::new(workflow).map_err(Error::from);
        Subscription { wanted: begun(name.as_ref(), key.as_ref(), workflow).map_err(Arc::new) }
    }

    /// Sets which events are wanted: an expression of the Common Expression Language over `id`, `key`, `payload` and `metadata`
    /// that is true of them, at most 1,024 bytes. Default: all.
    pub fn filter(self, filter: impl Into<String>) -> Self {
        let filter = filter.into();
        self.change(|wanted| {
            wanted.filter = Some(EventFilter::parse(&filter)?.as_str().to_owned());
            Ok(())
        })
    }

    /// Sets whose it is: of events of that namespace, and starting runs there. Default: `default`.
    pub fn namespace(self, namespace: impl AsRef<str>) -> Self {
        self.change(|wanted| {
            wanted.namespace = Namespace::new(namespace)?;
            Ok(())
        })
    }

    /// Adds tags of its runs, besides those of the event: at most 32 pairs, values of at most 1,024 bytes.
    pub fn metadata<K: Into<String>, V: Into<String>>(self, pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        self.change(|wanted| add_metadata(&mut wanted.metadata, pairs))
    }

    /// Sets the priority of its runs, -1,000 to 1,000; higher goes first. Default: 0.
    pub fn priority(self, priority: i16) -> Self {
        self.change(|wanted| {
            wanted.priority = check_priority(priority)?;
            Ok(())
        })
    }

    /// Sets who makes it. Default: nobody is named.
    pub fn by(self, by: impl Into<String>) -> Self {
        let by = by.into();
        self.change(|wanted| {
            check_text("by", Some(&by))?;
            wanted.created_by = Some(by);
            Ok(())
        })
    }

    fn change(mut self, change: impl FnOnce(&mut SubscriptionRow) -> Result<(), Error>) -> Self {
        self.wanted = self.wanted.and_then(|mut wanted| {
            change(&mut wanted).map_err(Arc::new)?;
            Ok(wanted)
        });
        self
    }

    /// Checks what is left: that the workflow is known.
    pub(super) async fn checked(self, runtime: &Runtime, declared: bool) -> Result<SubscriptionRow, Error> {
        let wanted = self.wanted.map_err(Error::shared)?;
        if runtime.engine.version_for(&wanted.workflow).await?.is_none() {
            return Err(runtime.unknown(&wanted.workflow));
        }
        Ok(SubscriptionRow { declared, ..wanted })
    }
}

fn begun(name: &str, key: &str, workflow: Result<WorkflowName, Error>) -> Result<SubscriptionRow, Error> {
    Ok(SubscriptionRow {
        namespace: Namespace::default(),
        name: SubscriptionName::new(name)?,
        key: EventKey::new(key)?,
        filter: None,
        workflow: workflow?,
        metadata: BTreeMap::new(),
        priority: 0,
        declared: false,
        created_by: None,
    })
}
