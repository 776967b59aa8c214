//! The way from the run that was asked about to the one where the cause lies.

use futures_util::future::BoxFuture;

use super::super::diff::StartDiff;
use super::super::history::Look;
use super::super::{InspectError, last_good, nobody, paused, takers};
use super::action::actions;
use super::find::{Finding, Next, at_the_end, child, find};
use super::said::last_lines;
use super::similar::similar;
use super::{Cause, Fault, Hop, LastGood, Why};
use crate::model::event::Timeout;
use crate::model::limits::DEPTH_MAX;
use crate::model::state::{End, Origin};
use crate::model::{RunId, Status, TaskName};
use crate::store::{RunRow, Store};

/// Says why a run failed, or why it stands where it stands; `None` when there is no such run.
///
/// A run whose log cannot be folded is answered, too: that is its cause.
///
/// # Errors
/// [`InspectError::Store`].
pub async fn why(store: &dyn Store, run: RunId) -> Result<Option<Why>, InspectError> {
    match Look::at(store, run).await? {
        Some(asked) => why_of(store, &asked).await.map(Some),
        None => Ok(None),
    }
}

/// Says why of a run that was looked at.
pub(in crate::inspect) async fn why_of(store: &dyn Store, asked: &Look) -> Result<Why, InspectError> {
    let mut walk = Walk { store, path: Vec::new() };
    let finding = walk.from(asked).await?;
    let row = &asked.row;
    let state = asked.history.as_ref().ok().map(|history| &history.state);
    let mut why = Why {
        run: row.run,
        workflow: row.workflow.clone(),
        version: row.version.clone(),
        status: row.status,
        node: row.owner.or_else(|| state?.node),
        created_at: row.run.created_at(),
        started_at: row.started_at,
        finished_at: row.finished_at,
        path: walk.path,
        cause: finding.cause,
        site: finding.site,
        waits: finding.waits,
        last_good: None,
        lines: Vec::new(),
        similar: None,
        actions: Vec::new(),
    };
    why.lines = last_lines(store, why.site.as_ref()).await?;
    if matches!(row.status, Status::Failed | Status::TimedOut) {
        why.similar = similar(store, row.run).await?;
        why.last_good = match state {
            Some(state) => good_before(store, row.run, &state.origin).await?,
            None => None,
        };
    }
    why.actions = actions(&why, state);
    Ok(why)
}

/// Finds the last good run before a bad one, and what the bad one was started with otherwise.
async fn good_before(
    store: &dyn Store,
    run: RunId,
    started: &Origin,
) -> Result<Option<LastGood>, InspectError> {
    let Some(good) = last_good::partner(store, run).await? else { return Ok(None) };
    let Some(origin) = last_good::origin(store, good.run).await? else { return Ok(None) };
    let changes = StartDiff::between(&origin, started);
    Ok(Some(LastGood { run: good.run, version: good.version, finished_at: good.finished_at, changes }))
}

/// Says why of one run by itself.
async fn find_in(store: &dyn Store, look: &Look) -> Result<Finding, InspectError> {
    match &look.history {
        Ok(history) => {
            let (workflow, version) = (&look.row.workflow, &look.row.version);
            let nobody = match &history.state.end {
                // Whether anybody served it then is not known; whether anybody does now is the next best.
                Some(End::TimedOut { timeout: Timeout::Start, .. }) => {
                    match paused(store, &look.row).await? {
                        None => Some(takers(store, workflow, version).await?.1),
                        paused => paused,
                    }
                }
                _ => nobody(store, &look.row).await?,
            };
            find(history, nobody)
        }
        Err(damage) => {
            let reason = InspectError::from(damage.clone()).to_string();
            Ok(Finding::of(Cause::Quarantined { reason }))
        }
    }
}

struct Walk<'a> {
    store: &'a dyn Store,
    path: Vec<Hop>,
}

impl Walk<'_> {
    async fn from(&mut self, asked: &Look) -> Result<Finding, InspectError> {
        let finding = find_in(self.store, asked).await?;
        self.hop(&asked.row, finding.task.clone());
        match (&finding.next, &finding.cause) {
            (Some(Next::Parent(parent)), _) => self.ascend(*parent, finding).await,
            (Some(Next::Child(_)), Cause::TimedOut { .. }) => self.descend_at_the_end(finding).await,
            (Some(Next::Child(_)), _) => self.descend(finding).await,
            (None, _) => Ok(finding),
        }
    }

    fn hop(&mut self, row: &RunRow, task: Option<TaskName>) {
        self.path.push(Hop {
            run: row.run,
            workflow: row.workflow.clone(),
            version: row.version.clone(),
            status: row.status,
            task,
        });
    }

    fn is_too_far(&self) -> bool {
        self.path.len() > DEPTH_MAX as usize
    }

    /// Follows child runs to the one where the cause lies. A child that is not stored any more, and one that has ended while its
    /// parent has not heard of it, are left to what the parent knows.
    async fn descend(&mut self, mut finding: Finding) -> Result<Finding, InspectError> {
        while let Some(Next::Child(run)) = finding.next.filter(|_| !self.is_too_far()) {
            finding.next = None;
            let Some(child) = Look::at(self.store, run).await? else {
                if let Cause::Failed { fault, .. } = &mut finding.cause {
                    *fault = Fault::Child;
                }
                break;
            };
            let waited_for = finding.cause == Cause::Waiting;
            if child.row.status == Status::Succeeded || (waited_for && child.row.status.is_terminal()) {
                break;
            }
            let below = find_in(self.store, &child).await?;
            self.hop(&child.row, below.task.clone());
            finding = below;
        }
        Ok(finding)
    }

    /// Follows child runs to what the lowest one was at when the time of the highest one was up.
    async fn descend_at_the_end(&mut self, mut finding: Finding) -> Result<Finding, InspectError> {
        while let Some(Next::Child(run)) = finding.next.filter(|_| !self.is_too_far()) {
            finding.next = None;
            let Some(Look { row, history: Ok(history) }) = Look::at(self.store, run).await? else { break };
            let below = at_the_end(&history, None)?;
            self.hop(&row, below.task.clone());
            let next = below.waits.iter().find_map(|wait| child(&wait.waiting));
            finding = Finding { cause: finding.cause, next, ..below };
        }
        Ok(finding)
    }

    /// Follows parent runs to the one that ended by itself, and asks why it did.
    async fn ascend(&mut self, parent: RunId, finding: Finding) -> Result<Finding, InspectError> {
        let (mut run, mut because) = (parent, None);
        while let Some(above) = Look::at(self.store, run).await?.filter(|_| !self.is_too_far()) {
            let own = find_in(self.store, &above).await?;
            self.hop(&above.row, own.task.clone());
            let Some(Next::Parent(higher)) = own.next else {
                because = headline_of(self.store, run).await?;
                break;
            };
            run = higher;
        }
        Ok(Finding { cause: Cause::ParentEnded { run, because }, ..finding })
    }
}

/// Asks why another run ended. Boxed, for a question may lead to one more, never to a third: it ended by itself.
fn headline_of(store: &dyn Store, run: RunId) -> BoxFuture<'_, Result<Option<String>, InspectError>> {
    Box::pin(async move { Ok(why(store, run).await?.map(|why| why.headline())) })
}
