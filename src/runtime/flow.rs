//! Holding runs back: paused workflows.

use super::control::{Runtime, check_text};
use super::error::Error;
use crate::model::limits::PAGE_ROWS_MAX;
use crate::model::{Namespace, WorkflowName};
use crate::store::{KnownLimit, LimitKey, NewPause, Pause};

/// Which workflow is paused, where, by whom and why.
#[derive(Clone, Debug, Default)]
#[must_use = "a workflow is paused when `Runtime::pause` is awaited"]
pub struct PauseOptions {
    namespace: Option<String>,
    by: Option<String>,
    reason: Option<String>,
}

impl PauseOptions {
    /// Pauses it in this namespace. Default: `default`.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Sets who pauses it.
    pub fn by(mut self, by: impl Into<String>) -> Self {
        self.by = Some(by.into());
        self
    }

    /// Sets why.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

impl Runtime {
    /// Pauses a workflow, all its versions, in one namespace: no run of it starts until it is [resumed](Runtime::resume).
    /// Runs that have started go on; new ones are accepted and wait, and so do those that wait already. Their
    /// `start_timeout` goes on counting. Says whether the workflow was not paused before; a pause that is there already
    /// stays as it is.
    ///
    /// On return no node takes a run of it out of the queue, and this node starts none; another node may start what is
    /// asked of itself until it hears of the pause: by `LISTEN` within milliseconds, else within its poll interval.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Field`]; [`Error::UnknownWorkflow`] when no node ever served it; [`Error::Store`].
    pub async fn pause(&self, workflow: &str, options: PauseOptions) -> Result<bool, Error> {
        let (workflow, namespace) = place(workflow, options.namespace.as_deref())?;
        for (field, text) in [("reason", &options.reason), ("by", &options.by)] {
            check_text(field, text.as_deref())?;
        }
        self.registered(&workflow).await?;
        let PauseOptions { by, reason, .. } = options;
        let is_new =
            self.engine.store.pause(&NewPause { workflow: workflow.clone(), namespace, by, reason }).await?;
        self.engine.paused.note(workflow);
        // Whoever looks into the queue hears of it there.
        self.engine.queued();
        Ok(is_new)
    }

    /// Ends a workflow's pause in a namespace, `default` unless told: its runs start, in the order in which they would have.
    /// Says whether it was paused.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Store`].
    pub async fn resume(&self, workflow: &str, namespace: Option<&str>) -> Result<bool, Error> {
        let (workflow, namespace) = place(workflow, namespace)?;
        let was_paused = self.engine.store.resume(&workflow, &namespace).await?;
        self.engine.queued();
        Ok(was_paused)
    }

    /// Lists the paused workflows, those of one namespace or all, at most 500.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Store`].
    pub async fn pauses(&self, namespace: Option<&str>) -> Result<Vec<Pause>, Error> {
        let namespace = namespace.map(Namespace::new).transpose()?;
        Ok(self.engine.store.pauses(namespace.as_ref(), PAGE_ROWS_MAX).await?)
    }
}

impl Runtime {
    /// Lists the limits of concurrency that count, of one workflow or all, at most 500.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Store`].
    pub async fn limits(&self, workflow: Option<&str>) -> Result<Vec<KnownLimit>, Error> {
        let workflow = workflow.map(WorkflowName::new).transpose()?;
        Ok(self.engine.store.limits(workflow.as_ref(), PAGE_ROWS_MAX).await?)
    }

    /// Lists the keys of a workflow's limit under which runs were let in or wait, of one namespace or all, at most 500: the
    /// longest lines first. Of more than 20,000 runs only these are counted.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Store`].
    pub async fn limit_keys(&self, workflow: &str, namespace: Option<&str>) -> Result<Vec<LimitKey>, Error> {
        let namespace = namespace.map(Namespace::new).transpose()?;
        let workflow = WorkflowName::new(workflow)?;
        Ok(self.engine.store.limit_keys(&workflow, namespace.as_ref(), PAGE_ROWS_MAX).await?)
    }
}

fn place(workflow: &str, namespace: Option<&str>) -> Result<(WorkflowName, Namespace), Error> {
    let namespace = namespace.map(Namespace::new).transpose()?.unwrap_or_default();
    Ok((WorkflowName::new(workflow)?, namespace))
}
