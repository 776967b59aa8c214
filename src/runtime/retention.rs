//! How long ended runs are kept, and moving them between databases.

use std::time::Duration;

use super::control::Runtime;
use super::error::Error;
use crate::actor::{Passed, begin_pass, pass};
use crate::inspect::{self, Exported, ImportError};
use crate::model::limits::WAIT_MAX;
use crate::model::{Namespace, RunId, WorkflowName};
use crate::store::{Policy, PolicyScope, Retention, Tally};

/// How long ended runs are kept, all or those of a namespace or workflow. The most specific policy counts: namespace and
/// workflow before the namespace before the workflow before everything.
#[derive(Clone, Debug)]
#[must_use = "a policy counts when it is set"]
pub struct RetentionPolicy {
    namespace: Option<String>,
    workflow: Option<String>,
    archive_after: Option<Duration>,
    delete_after: Option<Duration>,
}

/// When runs go to the archive, unless a policy says otherwise: what people still look for by the hour has happened within.
const ARCHIVE_AFTER_DEFAULT: Duration = Duration::from_secs(30 * 24 * 3_600);

impl Default for RetentionPolicy {
    fn default() -> RetentionPolicy {
        let archive_after = Some(ARCHIVE_AFTER_DEFAULT);
        RetentionPolicy { namespace: None, workflow: None, archive_after, delete_after: None }
    }
}

impl RetentionPolicy {
    /// Makes it one for a namespace's runs. Default: all.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Makes it one for a workflow's runs. Default: all.
    pub fn workflow(mut self, workflow: impl Into<String>) -> Self {
        self.workflow = Some(workflow.into());
        self
    }

    /// Sets how long after its end a run goes to the archive, where every question still finds it; `None` = never.
    /// Default: 30 days.
    pub fn archive_after(mut self, after: impl Into<Option<Duration>>) -> Self {
        self.archive_after = after.into();
        self
    }

    /// Sets how long after its end a run goes for good; `None` = never. Default: never.
    pub fn delete_after(mut self, after: impl Into<Option<Duration>>) -> Self {
        self.delete_after = after.into();
        self
    }

    fn check(self) -> Result<Policy, Error> {
        let refuse = |field, problem| Err(Error::Field { field, problem });
        let too_long = |after: &Option<Duration>| after.is_some_and(|after| after > WAIT_MAX);
        for (field, after) in [("archive_after", &self.archive_after), ("delete_after", &self.delete_after)] {
            if too_long(after) {
                return refuse(field, "it must be at most 100 years; leave it out for never".to_owned());
            }
        }
        match (self.archive_after, self.delete_after) {
            (None, Some(_)) => {
                return refuse(
                    "delete_after",
                    "only archived runs are deleted: set archive_after".to_owned(),
                );
            }
            (Some(archive), Some(delete)) if delete < archive => {
                let problem = format!("{delete:?} is shorter than archive_after, {archive:?}");
                return refuse("delete_after", problem);
            }
            _ => {}
        }
        Ok(Policy {
            scope: scope(self.namespace.as_deref(), self.workflow.as_deref())?,
            archive_after: self.archive_after,
            delete_after: self.delete_after,
        })
    }
}

fn scope(namespace: Option<&str>, workflow: Option<&str>) -> Result<PolicyScope, Error> {
    Ok(PolicyScope {
        namespace: namespace.map(Namespace::new).transpose()?,
        workflow: workflow.map(WorkflowName::new).transpose()?,
    })
}

impl Runtime {
    /// Reads how long runs are kept, and what the retention passes came to: the last one, the next one, and what went wrong.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn retention(&self) -> Result<Retention, Error> {
        Ok(self.engine.store.retention().await?)
    }

    /// Sets how long runs are kept, in the place of a policy of the same namespace and workflow. The next pass goes by it.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Field`]; [`Error::Store`], on the memory store always.
    pub async fn set_retention(&self, policy: RetentionPolicy) -> Result<(), Error> {
        Ok(self.engine.store.set_policy(&policy.check()?).await?)
    }

    /// Removes the policy of a namespace and workflow; says whether there was one.
    ///
    /// # Errors
    /// [`Error::Name`]; [`Error::Field`] for that of everything; [`Error::Store`].
    pub async fn unset_retention(
        &self,
        namespace: Option<&str>,
        workflow: Option<&str>,
    ) -> Result<bool, Error> {
        let scope = scope(namespace, workflow)?;
        if scope == PolicyScope::default() {
            let problem = "the policy of everything cannot be removed: set another one".to_owned();
            return Err(Error::Field { field: "namespace and workflow", problem });
        }
        Ok(self.engine.store.unset_policy(&scope).await?)
    }

    /// Makes a retention pass now, whether one is due or not, and waits for its end. It pauses between its steps so that
    /// nobody else suffers: a million runs take minutes.
    ///
    /// # Errors
    /// [`Error::PassUnderWay`] when another process, or another call here, is at one; [`Error::Store`], which
    /// [`retention`](Runtime::retention) shows from then on.
    pub async fn prune_now(&self) -> Result<Tally, Error> {
        match pass(&self.engine, true).await? {
            Passed::Done(tally) => Ok(tally),
            Passed::Held(holder) => Err(Error::PassUnderWay { by: holder.by }),
            Passed::NotDue(_) | Passed::Never => Ok(Tally::default()),
        }
    }

    /// Begins a retention pass now, whether one is due or not, and returns when it is this process's. The pass goes on by
    /// itself until the runtime stops; [`retention`](Runtime::retention) shows how far it is, when it ended, and what went
    /// wrong.
    ///
    /// # Errors
    /// [`Error::PassUnderWay`] when another process, or another call here, is at one; [`Error::Store`].
    pub async fn begin_pruning(&self) -> Result<(), Error> {
        match begin_pass(&self.engine).await? {
            None => Ok(()),
            Some(holder) => Err(Error::PassUnderWay { by: holder.by }),
        }
    }

    /// Writes a run down as JSON lines, archived or not: what it is, then each event with its payload as the text that it
    /// is. `None` when there is no such run.
    ///
    /// # Errors
    /// [`Error::Quarantined`] when its log cannot be folded, [`Error::Store`].
    pub async fn export(&self, run: RunId) -> Result<Option<String>, Error> {
        Ok(inspect::export(&**self.shown(), run).await?)
    }

    /// Puts an exported run into this database's archive, under its id, marked as imported: it folds to the same state. It
    /// does not have its key here: starting that starts another run.
    ///
    /// # Errors
    /// [`Error::Import`]: the lines are broken or of a newer format, the log folds to nothing legal, the run is live (a node
    /// elsewhere executes it), or its id is here already. [`Error::Store`], on the memory store always.
    pub async fn import(&self, exported: &str) -> Result<RunId, Error> {
        self.import_read(&inspect::read_export(exported)?).await
    }

    /// Does the same with what was read already.
    pub(crate) async fn import_read(&self, exported: &Exported) -> Result<RunId, Error> {
        exported.require_ended()?;
        let run = exported.state.id;
        match self.engine.store.import(&exported.state, &exported.lines).await? {
            true => Ok(run),
            false => Err(ImportError::Exists { run }.into()),
        }
    }
}
