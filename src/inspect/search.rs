//! What a person asks of many runs: pages of runs and of tasks, counts, and groups of failures.

use std::time::Duration;

use super::InspectError;
use super::cursor::Cursor;
use crate::model::filter::{Filter, Property, Test, When};
use crate::model::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use crate::model::{Namespace, RunId, RunSummary, TaskName, TaskStatus, Timestamp};
use crate::store::{FailureGroups, RunCount, RunPage, RunQuery, Store, Survey};

/// A question about many runs.
#[derive(Clone, Debug, Default)]
pub struct Search {
    filter: Filter,
    namespace: Namespace,
    limit: Option<u32>,
    cursor: Option<String>,
    window: Option<Duration>,
    tasks: Vec<TaskName>,
    task_statuses: Vec<TaskStatus>,
    now: Option<Timestamp>,
}

impl Search {
    /// Asks for the runs that a filter finds; the empty filter finds every run.
    pub fn new(filter: Filter) -> Search {
        Search { filter, ..Search::default() }
    }

    /// Sets whose runs. Default: those of the namespace `default`.
    #[must_use]
    pub fn namespace(mut self, namespace: Namespace) -> Search {
        self.namespace = namespace;
        self
    }

    /// Sets how many one page holds, 1 to 500. Default: 50.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Search {
        self.limit = Some(limit);
        self
    }

    /// Goes on after a page, with its [`next`](Page::next).
    #[must_use]
    pub fn cursor(mut self, cursor: impl Into<String>) -> Search {
        self.cursor = Some(cursor.into());
        self
    }

    /// Looks back no further than `window`, unless the filter says how far, finds archived runs alone, or is a look-up by
    /// id, key, trigger event or related run.
    #[must_use]
    pub fn within(mut self, window: Duration) -> Search {
        self.window = Some(window);
        self
    }

    /// Only tasks of these names; of pages of tasks alone. Default: all.
    #[must_use]
    pub fn tasks(mut self, names: impl IntoIterator<Item = TaskName>) -> Search {
        self.tasks.extend(names);
        self
    }

    /// Only tasks of these statuses; of pages of tasks alone. Default: all.
    #[must_use]
    pub fn task_statuses(mut self, statuses: impl IntoIterator<Item = TaskStatus>) -> Search {
        self.task_statuses.extend(statuses);
        self
    }

    pub(super) fn wants_task(&self, name: &TaskName, status: TaskStatus) -> bool {
        (self.tasks.is_empty() || self.tasks.contains(name))
            && (self.task_statuses.is_empty() || self.task_statuses.contains(&status))
    }

    fn bounded_filter(&self) -> Filter {
        let filter = self.filter.clone();
        let has_window = filter.positive().any(|test| matches!(test, Test::Since(_) | Test::Until(_)));
        let is_bounded = has_window || filter.is_lookup() || !filter.may_be_unarchived();
        match self.window.filter(|_| !is_bounded) {
            Some(window) => filter.and(Test::Since(When::Ago(window))),
            None => filter,
        }
    }

    /// Makes the store's query, with what the page before left in its cursor.
    pub(super) async fn query(&self, store: &dyn Store, list: &'static str) -> Result<Asked, InspectError> {
        let filter = match self.tasks.is_empty() {
            true => self.bounded_filter(),
            false => self.bounded_filter().and(of_tasks(&self.tasks)),
        };
        let what =
            format!("{list}\n{}\n{filter}\n{:?}\n{:?}", self.namespace, self.tasks, self.task_statuses);
        let from = self.cursor.as_deref().map(|cursor| Cursor::read(cursor, &what)).transpose()?;
        let now = match (&from, self.now) {
            (Some(cursor), _) => cursor.asked_at,
            (None, Some(now)) => now,
            (None, None) => store.now().await?,
        };
        let limit = self.limit.unwrap_or(PAGE_ROWS_DEFAULT);
        if !(1..=PAGE_ROWS_MAX).contains(&limit) {
            return Err(InspectError::PageLimit { asked: limit });
        }
        let (since, until) = filter.window(now);
        let before = from.as_ref().map(|cursor| cursor.run);
        let query = RunQuery { namespace: self.namespace.clone(), filter, now, before, limit };
        Ok(Asked { query, window: Window { since, until }, what, at: from.map_or(0, |cursor| cursor.place) })
    }

    /// Makes the store's query for those that failed.
    async fn failed(&self, store: &dyn Store) -> Result<Asked, InspectError> {
        let mut asked = self.query(store, "failures").await?;
        asked.query.filter = asked.query.filter.and(Test::Is(vec![Property::Failed]));
        Ok(asked)
    }
}

fn of_tasks(names: &[TaskName]) -> Test {
    use crate::model::filter::{Field, Pattern};
    Test::Text(Field::Task, names.iter().map(|name| Pattern::Exact(name.as_str().to_owned())).collect())
}

/// A search that has been made a query.
pub(super) struct Asked {
    pub(super) query: RunQuery,
    pub(super) window: Window,
    what: String,
    /// Where in the first run the page begins.
    pub(super) at: u32,
}

impl Asked {
    fn page(&self, page: RunPage) -> Page<RunSummary> {
        Page {
            next: page.next.map(|run| self.cursor(run, 0)),
            data: page.runs,
            window: self.window,
            searched_to: page.searched_to,
        }
    }

    /// Writes where the next page begins.
    pub(super) fn cursor(&self, run: RunId, place: u32) -> String {
        Cursor { asked_at: self.query.now, run, place }.write(&self.what)
    }
}

/// When what was searched was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// From then on; `None` = since ever.
    pub since: Option<Timestamp>,
    /// Before; `None` = until now.
    pub until: Option<Timestamp>,
}

/// One page of a list, the newest first. Runs that are created meanwhile never move its pages.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// What was found.
    pub data: Vec<T>,
    /// What [`Search::cursor`] takes for the next page; `None` at the end.
    pub next: Option<String>,
    /// What was searched.
    pub window: Window,
    /// Set when the page is short because 20,000 runs were looked at and not enough of them fitted: up to when. The next page
    /// goes on from there; a closer filter finds more at once.
    pub searched_to: Option<Timestamp>,
}

/// Lists runs, without payloads.
///
/// # Errors
/// [`InspectError::Cursor`]: begin again without one. [`InspectError::PageLimit`], [`InspectError::Store`].
pub async fn list(store: &dyn Store, search: &Search) -> Result<Page<RunSummary>, InspectError> {
    let asked = search.query(store, "runs").await?;
    let page = store.list(&asked.query).await?;
    Ok(asked.page(page))
}

/// Lists runs as [`list`] does, groups the failures among them as [`failures`] does, and counts those of another search as
/// [`count`] does, all of them as they are at one moment.
///
/// # Errors
/// As for [`list`].
pub async fn survey(
    store: &dyn Store,
    search: &Search,
    counted: &Search,
) -> Result<(Page<RunSummary>, RunCount, FailureGroups), InspectError> {
    let asked = search.query(store, "runs").await?;
    let at = |search: &Search| Search { now: Some(asked.query.now), ..uncut(search) };
    let counted = at(counted).query(store, "count").await?;
    let failed = at(search).failed(store).await?;
    let Survey { page, count, failures } = store.survey(&asked.query, &counted.query, &failed.query).await?;
    Ok((asked.page(page), count, failures))
}

/// The same question about all runs, not those after a page.
pub(super) fn uncut(search: &Search) -> Search {
    Search { cursor: None, ..search.clone() }
}

/// Counts runs by status, the newest up to 10,000.
///
/// # Errors
/// [`InspectError::Store`].
pub async fn count(store: &dyn Store, search: &Search) -> Result<RunCount, InspectError> {
    let asked = uncut(search).query(store, "count").await?;
    Ok(store.count(&asked.query).await?)
}

/// Groups the runs that failed or timed out by the cause, the most frequent first; of the newest 50,000, at most 200
/// groups.
///
/// # Errors
/// [`InspectError::Store`].
pub async fn failures(store: &dyn Store, search: &Search) -> Result<FailureGroups, InspectError> {
    let asked = uncut(search).failed(store).await?;
    Ok(store.failures(&asked.query).await?)
}
