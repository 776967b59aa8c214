//! A batch of commits, as the columns that `append.sql` binds.

use std::collections::HashMap;

use sqlx::types::Uuid;

use super::columns::{Birth, Births, Events, by_key};
use super::mail::written;
use crate::model::{FailureSummary, RunId, Status, TaskName, Timestamp};
use crate::store::{Append, Commit, NewRun, RowChange, StoreError};

/// A batch, column by column.
#[derive(Default)]
pub(super) struct Batch<'a> {
    pub(super) births: Births<'a>,
    pub(super) events: Events<'a>,
    pub(super) rows: Rows<'a>,
    pub(super) post: Post,
    pub(super) taken: Vec<i64>,
    pub(super) awaits: Awaits<'a>,
    /// Runs this touches; none unless there is mail, which goes to runs of other lanes: then all are locked in the
    /// order of their ids, so that two lanes never wait for each other in a circle.
    pub(super) locks: Vec<Uuid>,
    /// New runs with a key, one a commit.
    pub(super) keyed: Vec<RunId>,
    /// New runs that asked for their release in the commit that creates them, and got a message in the same batch.
    pub(super) kept: Vec<RunId>,
}

/// What changes in rows of runs.
#[derive(Default)]
pub(super) struct Rows<'a> {
    pub(super) ids: Vec<Uuid>,
    pub(super) statuses: Vec<&'static str>,
    pub(super) ended: Vec<bool>,
    pub(super) deadlines: Vec<Option<Timestamp>>,
    pub(super) asks: Vec<bool>,
    pub(super) wake_ats: Vec<Option<Timestamp>>,
    pub(super) mail_seen: Vec<i32>,
    pub(super) claims: Vec<i32>,
    pub(super) births: Vec<Option<Uuid>>,
    pub(super) failures: Failures<'a>,
}

/// Why runs end, where they end badly.
#[derive(Default)]
pub(super) struct Failures<'a> {
    pub(super) tasks: Vec<Option<&'a str>>,
    pub(super) kinds: Vec<Option<&'a str>>,
    pub(super) messages: Vec<Option<&'a str>>,
    pub(super) locations: Vec<Option<&'a str>>,
    pub(super) fingerprints: Vec<Option<&'a str>>,
    pub(super) caused_by: Vec<Option<Uuid>>,
}

/// What runs wait for by a key.
#[derive(Default)]
pub(super) struct Awaits<'a> {
    pub(super) runs: Vec<Uuid>,
    pub(super) namespaces: Vec<&'a str>,
    pub(super) names: Vec<&'a str>,
    pub(super) keys: Vec<&'a str>,
    pub(super) changes: Vec<i32>,
}

/// Messages from runs to runs.
#[derive(Default)]
pub(super) struct Post {
    pub(super) recipients: Vec<Uuid>,
    pub(super) bodies: Vec<String>,
    pub(super) births: Vec<Option<Uuid>>,
}

/// An append with the keyed run its commit stands and falls with.
type Gated<'a> = (&'a Append, Option<Uuid>);

impl<'a> Batch<'a> {
    /// # Errors
    /// [`StoreError::Bug`] for a batch the contract knows nothing of: two appends of one run, two keyed runs in one
    /// commit, a run that ends in the commit that creates it, an append of a run past the last seq.
    pub(super) fn of(commits: &'a [Commit]) -> Result<Batch<'a>, StoreError> {
        let appends = gated(commits)?;
        let events = appends.iter().map(|(append, _)| append.events.len()).sum();
        let mut batch = Batch { events: Events::with_capacity(events), ..Batch::default() };
        let mut changes: Vec<(&Append, &'a RowChange, Option<Uuid>)> = Vec::with_capacity(appends.len());
        for (append, birth) in &appends {
            batch.events.push(append, *birth)?;
            batch.post.push(append, *birth)?;
            batch.taken.extend(append.taken.iter().map(|message| message.0));
            batch.awaits.push(append);
            if let (None, Some(change)) = (&append.born, &append.row) {
                changes.push((append, change, *birth));
            }
        }
        changes.sort_unstable_by_key(|(append, ..)| append.run);
        for (append, change, birth) in changes {
            batch.rows.push(append.run, change, birth);
        }
        if !batch.post.recipients.is_empty() {
            batch.locks.extend(batch.rows.ids.iter().chain(&batch.post.recipients));
        }
        batch.bear(&appends)?;
        Ok(batch)
    }

    /// Says whether no row changes and no message moves.
    pub(super) fn is_only_events(&self) -> bool {
        self.births.ids.is_empty()
            && self.rows.ids.is_empty()
            && self.post.recipients.is_empty()
            && self.taken.is_empty()
            && self.awaits.runs.is_empty()
    }

    /// Says whether runs begin, go on or end well, and nothing else: no key, no message, no release, no failure, no wait by a
    /// key, and no trigger but code or a parent.
    pub(super) fn is_only_runs(&self) -> bool {
        self.keyed.is_empty()
            && self.post.recipients.is_empty()
            && self.taken.is_empty()
            && self.awaits.runs.is_empty()
            && !self.rows.asks.contains(&true)
            && self.rows.failures.kinds.iter().all(Option::is_none)
            && self.births.are_plainly_triggered()
    }

    fn bear(&mut self, appends: &[Gated<'a>]) -> Result<(), StoreError> {
        let born = |(append, birth): &Gated<'a>| append.born.as_deref().map(|new| (*append, new, *birth));
        let mut born: Vec<(&Append, &NewRun, Option<Uuid>)> = appends.iter().filter_map(born).collect();
        born.sort_by_key(|(_, new, _)| by_key(new));
        let mut mail: HashMap<Uuid, i32> = HashMap::new();
        if !born.is_empty() {
            self.post.recipients.iter().for_each(|run| *mail.entry(*run).or_default() += 1);
        }
        for (append, new, birth) in born {
            let row = first_row(append, new, mail.get(&append.run.uuid()).copied().unwrap_or_default())?;
            if row.owned && append.row.as_ref().is_some_and(|change| change.release.is_some()) {
                self.kept.push(append.run);
            }
            if new.key.is_some() {
                self.keyed.push(append.run);
            }
            self.births.push(append, new, &row, birth)?;
        }
        Ok(())
    }
}

/// Gives each append the keyed run of its commit, and refuses what the statement cannot do.
fn gated(commits: &[Commit]) -> Result<Vec<Gated<'_>>, StoreError> {
    let mut appends = Vec::with_capacity(commits.len());
    for commit in commits {
        let keyed = |append: &&Append| append.born.as_ref().is_some_and(|new| new.key.is_some());
        let mut keyed = commit.appends.iter().filter(keyed);
        let birth = keyed.next().map(|append| append.run.uuid());
        if let Some(second) = keyed.next() {
            let message = format!("run {} is the second new run with a key in one commit", second.run);
            return Err(StoreError::Bug { message });
        }
        appends.extend(commit.appends.iter().map(|append| (append, birth)));
    }
    let mut runs: Vec<RunId> = appends.iter().map(|(append, _)| append.run).collect();
    runs.sort_unstable();
    let twice = runs.windows(2).find_map(|pair| match pair {
        [one, other] if one == other => Some(*one),
        _ => None,
    });
    match twice {
        Some(run) => Err(StoreError::Bug { message: format!("run {run} has two appends in one batch") }),
        None => Ok(appends),
    }
}

/// Folds a new run and what its first commit changes into one row.
fn first_row(append: &Append, new: &NewRun, mail: i32) -> Result<Birth, StoreError> {
    let status = append.row.as_ref().map_or(new.status, |change| change.status);
    let deadline_at = append.row.as_ref().map_or(new.deadline_at, |change| change.deadline_at);
    let release = append.row.as_ref().and_then(|change| change.release);
    if status.is_terminal() || new.status.is_terminal() {
        let message = format!("run {} would be created as {status}", append.run);
        return Err(StoreError::Bug { message });
    }
    let row = match (release, status) {
        (Some(release), _) if release.mail_seen == mail => {
            Birth { status, owned: false, wake_at: release.wake_at, deadline_at, mail }
        }
        (Some(_), _) | (None, Status::Running) => {
            Birth { status, owned: true, wake_at: None, deadline_at, mail }
        }
        (None, _) => Birth { status, owned: false, wake_at: new.wake_at, deadline_at, mail },
    };
    Ok(row)
}

impl<'a> Rows<'a> {
    fn push(&mut self, run: RunId, change: &'a RowChange, birth: Option<Uuid>) {
        self.ids.push(run.uuid());
        self.statuses.push(change.status.as_str());
        self.ended.push(change.status.is_terminal());
        self.deadlines.push(change.deadline_at);
        self.asks.push(change.release.is_some());
        self.wake_ats.push(change.release.and_then(|release| release.wake_at));
        self.mail_seen.push(change.release.map_or(0, |release| release.mail_seen));
        self.claims.push(change.release.map_or(0, |release| release.claims));
        self.births.push(birth);
        self.failures.push(change.failure.as_deref());
    }
}

impl<'a> Failures<'a> {
    fn push(&mut self, failure: Option<&'a FailureSummary>) {
        self.tasks.push(failure.and_then(|failure| failure.task.as_ref()).map(TaskName::as_str));
        self.kinds.push(failure.map(|failure| failure.kind.as_str()));
        self.messages.push(failure.map(|failure| failure.message.as_str()));
        self.locations.push(failure.and_then(|failure| failure.location.as_deref()));
        self.fingerprints.push(failure.map(|failure| failure.fingerprint.as_str()));
        self.caused_by.push(failure.and_then(|failure| failure.caused_by).map(|run| run.uuid()));
    }
}

impl<'a> Awaits<'a> {
    fn push(&mut self, append: &'a Append) {
        for wait in &append.awaits {
            self.runs.push(append.run.uuid());
            self.namespaces.push(wait.namespace.as_str());
            self.names.push(wait.name.as_str());
            self.keys.push(wait.key.as_str());
            self.changes.push(wait.change);
        }
    }
}

impl Post {
    fn push(&mut self, append: &Append, birth: Option<Uuid>) -> Result<(), StoreError> {
        for mail in &append.mail {
            self.recipients.push(mail.to.uuid());
            self.bodies.push(written(&mail.body)?);
            self.births.push(birth);
        }
        Ok(())
    }
}
