//! Lists of tasks: the runs' logs, folded a page at a time.

use super::search::{Asked, Page, Search};
use super::{InspectError, TaskView, state};
use crate::model::limits::{TASK_EVENTS_MAX, TASK_RUNS_MAX};
use crate::model::{RunId, RunSummary, Status, TaskName, TaskStatus, Timestamp, Version, WorkflowName};
use crate::store::{RunQuery, Store};

/// One listed task, without payloads.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRow {
    /// Its run.
    pub run: RunId,
    /// The run's workflow.
    pub workflow: WorkflowName,
    /// The run's version.
    pub version: Version,
    /// Where the run stands.
    pub run_status: Status,
    /// The task.
    pub name: TaskName,
    /// Where it stands.
    pub status: TaskStatus,
    /// How many attempts were made.
    pub attempts: u32,
    /// When it could begin.
    pub queued_until: Option<Timestamp>,
    /// When its first attempt began.
    pub started_at: Option<Timestamp>,
    /// When its last attempt ended for good.
    pub finished_at: Option<Timestamp>,
    /// The kind of its last attempt's failure.
    pub error_kind: Option<String>,
    /// What that said.
    pub error_message: Option<String>,
}

/// Lists the tasks of the runs that a search finds, those of the newest run first, in the plan's order.
///
/// The logs of at most 200 runs, or some 100,000 events, are folded for a page: it may be short, or empty, and have a next
/// one. A run whose log
/// cannot be folded is left out.
///
/// # Errors
/// As for [`list`](super::list).
pub async fn tasks(store: &dyn Store, search: &Search) -> Result<Page<TaskRow>, InspectError> {
    let asked = search.query(store, "tasks").await?;
    let mut page = Page { data: Vec::new(), next: None, window: asked.window, searched_to: None };
    let mut events = 0;
    let begun = begun(store, &asked).await?.into_iter().map(|run| (run, asked.at));
    let query = RunQuery { limit: TASK_RUNS_MAX, ..asked.query.clone() };
    let found = store.list(&query).await?;
    for (run, place) in begun.chain(found.runs.into_iter().map(|run| (run, 0))) {
        let tasks = rows(store, search, &run, &mut events).await?;
        let from_place = tasks.into_iter().filter(|(at, _)| *at >= place);
        for (at, row) in from_place {
            if page.data.len() >= usize::try_from(asked.query.limit).unwrap_or(usize::MAX) {
                page.next = Some(asked.cursor(run.run, at));
                return Ok(page);
            }
            page.data.push(row);
        }
        if events > TASK_EVENTS_MAX {
            page.next = Some(asked.cursor(run.run, ALL_TASKS));
            page.searched_to = Some(run.created_at());
            return Ok(page);
        }
    }
    page.next = found.next.map(|run| asked.cursor(run, ALL_TASKS));
    page.searched_to = found.searched_to.or_else(|| Some(found.next?.created_at()));
    Ok(page)
}

/// A cursor's place when the page ended with a run's last task.
const ALL_TASKS: u32 = u32::MAX;

/// Reads the run in whose midst the page before ended.
async fn begun(store: &dyn Store, asked: &Asked) -> Result<Option<RunSummary>, InspectError> {
    let Some(run) = asked.query.before.filter(|_| asked.at != ALL_TASKS) else { return Ok(None) };
    let mut found = store.summaries(&[run]).await?;
    Ok(found.pop().filter(|run| run.namespace == asked.query.namespace))
}

/// Folds a run's log and gives the tasks that are wanted, with their places in the plan.
async fn rows(
    store: &dyn Store,
    search: &Search,
    run: &RunSummary,
    events: &mut u32,
) -> Result<Vec<(u32, TaskRow)>, InspectError> {
    let state = match state(store, run.run).await {
        Ok(Some(state)) => state,
        Ok(None) | Err(InspectError::Illegal(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    *events = events.saturating_add(state.seq);
    let views = (0..state.tasks.len()).map(|at| TaskView::new(&state, at));
    let wanted = |(at, view): (u32, Option<TaskView>)| {
        let task = view.filter(|task| search.wants_task(&task.name, task.status))?;
        Some((at, row(run, task)))
    };
    Ok((0..).zip(views).filter_map(wanted).collect())
}

fn row(run: &RunSummary, task: TaskView) -> TaskRow {
    let (error_kind, error_message) = match task.error {
        Some(error) => (Some(error.kind.into_owned()), Some(error.message)),
        None => (None, None),
    };
    TaskRow {
        run: run.run,
        workflow: run.workflow.clone(),
        version: run.version.clone(),
        run_status: run.status,
        name: task.name,
        status: task.status,
        attempts: u32::try_from(task.attempts.len()).unwrap_or(u32::MAX),
        queued_until: task.queued_until,
        started_at: task.started_at,
        finished_at: task.finished_at,
        error_kind,
        error_message,
    }
}
