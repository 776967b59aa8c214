//! What the engine asks of its storage about schedules.

use std::collections::BTreeMap;

use super::{Answer, Append};
use crate::model::schedule::{Cron, CronError, Misfire, Timing};
use crate::model::{Namespace, Payload, RunId, ScheduleName, Timestamp, WorkflowName};

/// Schedules and their occurrences.
///
/// Every method is one atomic step, as those of [`Store`](super::Store).
pub trait Schedules: Send + Sync + 'static {
    /// Creates schedules, and with `replace` changes those whose name is taken. One that is changed stays paused if it is, and
    /// one that is as it should be already stays as it is, its next occurrence included. Answers for each, in order.
    ///
    /// No two of them may have the same namespace and name.
    fn put_schedules<'a>(&'a self, new: &'a [NewSchedule], replace: bool) -> Answer<'a, Vec<Put>>;

    /// Reads schedules by their names, in no order. Unknown ones are left out.
    fn schedules_named<'a>(
        &'a self,
        namespace: &'a Namespace,
        names: &'a [ScheduleName],
    ) -> Answer<'a, Vec<ScheduleRow>>;

    /// Lists schedules by namespace and name.
    fn schedules<'a>(&'a self, query: &'a ScheduleQuery) -> Answer<'a, Vec<ScheduleRow>>;

    /// Changes when schedules are due; says for each whether it was still the revision that the caller read. Of one that
    /// was not, nothing is changed.
    fn steer_schedules<'a>(&'a self, steers: &'a [Steer]) -> Answer<'a, Vec<bool>>;

    /// Deletes schedules; says which there were. Their runs stay.
    fn delete_schedules<'a>(
        &'a self,
        namespace: &'a Namespace,
        names: &'a [ScheduleName],
    ) -> Answer<'a, Vec<ScheduleName>>;

    /// Says when the next schedule is to be looked at, and the time.
    fn next_schedule(&self) -> Answer<'_, NextSchedule>;

    /// Reads schedules that are to be looked at, the longest due first, at most `limit`.
    fn due_schedules(&self, limit: u32) -> Answer<'_, Vec<ScheduleRow>>;

    /// Starts occurrences: of each schedule that is still the revision that the caller read, creates the runs of those that
    /// were never started, and moves it on, all in one step. Says for each whether it was.
    ///
    /// # Errors
    /// [`StoreError::Refused`](super::StoreError::Refused): the database refuses some value; of several it is unknown which.
    fn fire<'a>(&'a self, firings: &'a [Firing]) -> Answer<'a, Vec<bool>>;

    /// Notes why an occurrence could not be started, and when to try again; nothing where the schedule was changed meanwhile.
    fn note_schedule_failure<'a>(
        &'a self,
        schedule: i64,
        revision: i32,
        failure: &'a str,
        retry_at: Timestamp,
    ) -> Answer<'a, ()>;

    /// Removes a bounded number of one-off schedules that ended a week ago.
    fn sweep_schedules(&self) -> Answer<'_, u64>;
}

/// What a schedule starts, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleSpec {
    /// Whose it is, and its runs.
    pub namespace: Namespace,
    /// Its name, unique in the namespace.
    pub name: ScheduleName,
    /// Which workflow; its newest version.
    pub workflow: WorkflowName,
    /// When.
    pub times: Times,
    /// What each run is given.
    pub input: Payload,
    /// Tags of each run.
    pub metadata: BTreeMap<String, String>,
    /// Of each run; higher goes first.
    pub priority: i16,
    /// What becomes of missed occurrences.
    pub misfire: Misfire,
}

/// When a schedule is due, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Times {
    /// Again and again.
    Cron {
        /// The expression.
        expression: String,
        /// The zone's name in the tz database.
        zone: String,
    },
    /// Once.
    At(Timestamp),
}

/// A schedule to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSchedule {
    /// What.
    pub spec: ScheduleSpec,
    /// Whether code declares it.
    pub declared: bool,
    /// Who wants it.
    pub by: Option<String>,
    /// Its next occurrence, if it is new or changed.
    pub next_at: Option<Timestamp>,
}

/// What became of a schedule to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is new.
    Created,
    /// It was another one.
    Changed,
    /// Its name is taken: it is as it should be, or was not to be replaced.
    Left,
}

impl Put {
    /// Tells it by the row that was written, if one was: whether it is new.
    pub(super) fn of(created: Option<bool>) -> Put {
        match created {
            Some(true) => Put::Created,
            Some(false) => Put::Changed,
            None => Put::Left,
        }
    }
}

/// A schedule, as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleRow {
    /// Its row.
    pub id: i64,
    /// What it starts, and when.
    pub spec: ScheduleSpec,
    /// Whether code declares it.
    pub declared: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created or changed it last.
    pub created_by: Option<String>,
    /// Changes with every change.
    pub revision: i32,
    /// Since when it is paused.
    pub paused_at: Option<Timestamp>,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// Its next occurrence; `None` = none comes.
    pub next_at: Option<Timestamp>,
    /// The occurrence that was started last.
    pub last_due: Option<Timestamp>,
    /// Its run.
    pub last_run: Option<RunId>,
    /// How many runs it has started.
    pub fired: u64,
    /// Why the next occurrence could not be started.
    pub failure: Option<String>,
    /// How often in a row.
    pub failures: u32,
    /// When its last occurrence was over.
    pub ended_at: Option<Timestamp>,
}

/// Which schedules are wanted.
#[derive(Clone, Debug, Default)]
pub struct ScheduleQuery {
    /// Of one namespace.
    pub namespace: Option<Namespace>,
    /// Of one workflow.
    pub workflow: Option<WorkflowName>,
    /// Those whose name begins so.
    pub prefix: Option<String>,
    /// Those after this one.
    pub after: Option<(Namespace, ScheduleName)>,
    /// How many at most.
    pub limit: u32,
}

/// A change of when a schedule is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steer {
    /// The schedule's row.
    pub schedule: i64,
    /// As the caller read it.
    pub revision: i32,
    /// Its next occurrence from here on.
    pub next_at: Option<Timestamp>,
    /// Where a one-off schedule is moved to.
    pub once_at: Option<Timestamp>,
    /// Who pauses it; `None` = it is not paused from here on.
    pub paused_by: Option<String>,
}

/// Occurrences to be started.
#[derive(Clone, Debug, PartialEq)]
pub struct Firing {
    /// The schedule's row.
    pub schedule: i64,
    /// As the caller read it.
    pub revision: i32,
    /// Which, with their runs.
    pub occurrences: Vec<(Timestamp, Append)>,
    /// The next one after them.
    pub next_at: Option<Timestamp>,
}

/// When to look for schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextSchedule {
    /// When the next one is to be looked at.
    pub wake_at: Option<Timestamp>,
    /// The database's time.
    pub now: Timestamp,
}

impl Times {
    /// Returns the expression, if it is one.
    pub fn expression(&self) -> Option<&str> {
        match self {
            Times::Cron { expression, .. } => Some(expression),
            Times::At(_) => None,
        }
    }

    /// Returns the time zone, if there is an expression.
    pub fn zone(&self) -> Option<&str> {
        match self {
            Times::Cron { zone, .. } => Some(zone),
            Times::At(_) => None,
        }
    }

    /// Returns the instant, if it is one.
    pub fn once(&self) -> Option<Timestamp> {
        match self {
            Times::Cron { .. } => None,
            Times::At(at) => Some(*at),
        }
    }

    /// Reads the expression.
    ///
    /// # Errors
    /// [`CronError`], as [`Cron::parse`].
    pub fn timing(&self) -> Result<Timing, CronError> {
        Ok(match self {
            Times::Cron { expression, zone } => Timing::Cron(Cron::parse(expression, zone)?),
            Times::At(at) => Timing::At(*at),
        })
    }
}
