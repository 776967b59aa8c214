//! What is asked and done about schedules.

use std::collections::BTreeSet;

use super::control::{Runtime, check_text};
use super::error::Error;
use super::handle::RunHandle;
use super::schedule::Schedule;
use super::wanted::check_instant;
use crate::model::limits::{PAGE_ROWS_MAX, SCHEDULES_AT_ONCE_MAX};
use crate::model::{Namespace, ScheduleName, Timestamp};
use crate::store::{NewSchedule, News, Put, ScheduleQuery, ScheduleRow, Steer, StoreError, Times};

/// The schedules of one namespace, made in code and by the interfaces alike.
#[derive(Clone)]
pub struct Schedules<'runtime> {
    runtime: &'runtime Runtime,
    namespace: Namespace,
}

/// How often a change is tried of a schedule that changes all the time: each try is one occurrence later.
const TRIES_MAX: usize = 20;

impl Runtime {
    /// Begins to ask about schedules: those of the namespace `default`, unless [`Schedules::namespace`] says otherwise.
    pub fn schedules(&self) -> Schedules<'_> {
        Schedules { runtime: self, namespace: Namespace::default() }
    }

    /// Keeps what code declares: made if it is new, changed if it differs, and left alone otherwise, so that what was missed
    /// while nobody was there is still known.
    pub(super) async fn declare(&self, schedules: Vec<Schedule>) -> Result<(), Error> {
        if schedules.is_empty() {
            return Ok(());
        }
        let mut new = Vec::with_capacity(schedules.len());
        for schedule in schedules {
            new.push(schedule.checked(self, true).await?);
        }
        if let Some(twice) = twice(&new) {
            let problem = format!("{twice:?} is given twice: a name stands for one schedule");
            return Err(Error::Setting { name: "schedule", problem });
        }
        for new in new.chunks(SCHEDULES_AT_ONCE_MAX) {
            self.engine.store.put_schedules(new, true).await?;
        }
        self.rescheduled();
        Ok(())
    }

    /// Lets this node and the others look which schedule is next.
    fn rescheduled(&self) {
        self.engine.schedules_changed.notify_one();
        self.engine.announce(News::Scheduled);
    }
}

/// Finds a name that is there twice.
fn twice(new: &[NewSchedule]) -> Option<&str> {
    let mut seen = BTreeSet::new();
    for NewSchedule { spec, .. } in new {
        if !seen.insert((&spec.namespace, &spec.name)) {
            return Some(spec.name.as_str());
        }
    }
    None
}

impl Schedules<'_> {
    /// Sets whose schedules are asked about.
    ///
    /// # Errors
    /// [`Error::Name`].
    pub fn namespace(mut self, namespace: impl AsRef<str>) -> Result<Self, Error> {
        self.namespace = Namespace::new(namespace)?;
        Ok(self)
    }

    /// Makes a schedule. On return it is committed, and every node will see to it. Its own namespace counts.
    ///
    /// # Errors
    /// [`Error::ScheduleExists`] when the name is taken; [`Error::Cron`], [`Error::Name`], [`Error::Payload`],
    /// [`Error::Field`], [`Error::UnknownWorkflow`] for what is refused at the door; [`Error::Store`].
    pub async fn create(&self, schedule: Schedule) -> Result<ScheduleRow, Error> {
        let new = schedule.checked(self.runtime, false).await?;
        let put = self.keep(std::slice::from_ref(&new), false).await?;
        let name = new.spec.name;
        match put.first() {
            Some(Put::Created) => self.read(&new.spec.namespace, &name).await,
            _ => Err(Error::ScheduleExists { name: name.to_string() }),
        }
    }

    /// Makes a schedule, or changes the one that has its name; a paused one stays paused, and one that is the same already
    /// stays as it is. Says whether it is new.
    ///
    /// # Errors
    /// As for [`create`](Schedules::create), without [`Error::ScheduleExists`].
    pub async fn put(&self, schedule: Schedule) -> Result<(ScheduleRow, bool), Error> {
        let new = schedule.checked(self.runtime, false).await?;
        let put = self.keep(std::slice::from_ref(&new), true).await?;
        let row = self.read(&new.spec.namespace, &new.spec.name).await?;
        Ok((row, put.first() == Some(&Put::Created)))
    }

    /// Makes many schedules by one statement, at most 1,000; says of each whether it is new. Those whose name is taken are left
    /// as they are.
    ///
    /// # Errors
    /// As for [`create`](Schedules::create); one refused schedule refuses all.
    pub async fn create_many(&self, schedules: Vec<Schedule>) -> Result<Vec<bool>, Error> {
        check_count(schedules.len())?;
        let mut new = Vec::with_capacity(schedules.len());
        for schedule in schedules {
            new.push(schedule.checked(self.runtime, false).await?);
        }
        if let Some(twice) = twice(&new) {
            return Err(Error::Field { field: "name", problem: format!("{twice:?} is given twice") });
        }
        let put = self.keep(&new, false).await?;
        Ok(put.iter().map(|put| *put == Put::Created).collect())
    }

    async fn keep(&self, new: &[NewSchedule], replace: bool) -> Result<Vec<Put>, Error> {
        let put = self.runtime.engine.store.put_schedules(new, replace).await?;
        self.runtime.rescheduled();
        Ok(put)
    }

    /// Reads a schedule; `None` when there is none of that name.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Store`].
    pub async fn get(&self, name: &str) -> Result<Option<ScheduleRow>, Error> {
        let names = checked(&[name])?;
        Ok(self.runtime.shown().schedules_named(&self.namespace, &names).await?.pop())
    }

    /// Lists schedules by name, all namespaces' if the query names none. At most 500.
    ///
    /// # Errors
    /// [`Error::Field`], [`Error::Store`].
    pub async fn list(&self, query: &ScheduleQuery) -> Result<Vec<ScheduleRow>, Error> {
        if !(1..=PAGE_ROWS_MAX).contains(&query.limit) {
            let problem = format!("{} is out of range, 1 to {PAGE_ROWS_MAX}", query.limit);
            return Err(Error::Field { field: "limit", problem });
        }
        Ok(self.runtime.shown().schedules(query).await?)
    }

    /// Pauses schedules: what falls due from now on is left out. Those that are paused already stay as they are.
    ///
    /// # Errors
    /// [`Error::NoSchedule`] when one of the names is nobody's: then nothing is changed. [`Error::Name`], [`Error::Field`],
    /// [`Error::Store`].
    pub async fn pause(&self, names: &[&str], by: &str) -> Result<(), Error> {
        check_text("by", Some(by))?;
        let pause = |row: &ScheduleRow| {
            let steer = Steer { paused_by: Some(by.to_owned()), next_at: row.next_at, ..steer(row) };
            Ok(row.paused_at.is_none().then_some(steer))
        };
        self.steer(names, pause).await
    }

    /// Lets paused schedules go on: from their next occurrence after now, but for an instant that has passed, which is due at
    /// once.
    ///
    /// # Errors
    /// As for [`pause`](Schedules::pause).
    pub async fn resume(&self, names: &[&str]) -> Result<(), Error> {
        let now = self.runtime.engine.clock.now();
        let resume = |row: &ScheduleRow| {
            let next_at = match row.next_at {
                Some(_) => row.spec.times.timing()?.next_after(now),
                None => None,
            };
            Ok(row.paused_at.is_some().then(|| Steer { next_at, ..steer(row) }))
        };
        self.steer(names, resume).await
    }

    /// Moves one-off schedules to another instant; those that ended are due again then.
    ///
    /// # Errors
    /// As for [`pause`](Schedules::pause); [`Error::Field`] for one that has a cron expression.
    pub async fn move_to(&self, names: &[&str], at: Timestamp) -> Result<(), Error> {
        check_instant("at", at, self.runtime.engine.clock.now())?;
        let moved = |row: &ScheduleRow| match row.spec.times {
            Times::At(_) => Ok(Some(Steer {
                next_at: Some(at),
                once_at: Some(at),
                paused_by: row.paused_at.map(|_| row.paused_by.clone().unwrap_or_default()),
                ..steer(row)
            })),
            Times::Cron { .. } => {
                let name = row.spec.name.as_str();
                let problem = format!("{name:?} has a cron expression: only an instant can be moved");
                Err(Error::Field { field: "at", problem })
            }
        };
        self.steer(names, moved).await
    }

    /// Deletes schedules; says how many there were. Their runs stay.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Field`], [`Error::Store`].
    pub async fn delete(&self, names: &[&str]) -> Result<usize, Error> {
        let names = checked(names)?;
        let deleted = self.runtime.engine.store.delete_schedules(&self.namespace, &names).await?;
        Ok(deleted.len())
    }

    /// Starts an occurrence out of turn, paused or not; the next one comes as if nothing had happened.
    ///
    /// # Errors
    /// [`Error::NoSchedule`], [`Error::UnknownWorkflow`], [`Error::Name`], [`Error::Store`].
    pub async fn trigger(&self, name: &str, by: Option<&str>) -> Result<RunHandle<serde_json::Value>, Error> {
        check_text("by", by)?;
        let engine = &self.runtime.engine;
        for _ in 0..TRIES_MAX {
            let row = self.named(&[name]).await?.pop().ok_or_else(|| nobodys(name))?;
            let by = Some(by.unwrap_or("code").to_owned());
            let firing = engine.out_of_turn(&row, by).await?;
            let firing = firing.ok_or_else(|| self.runtime.unknown(&row.spec.workflow))?;
            let firing = firing.map_err(|problem| Error::Field { field: "workflow", problem })?;
            if engine.store.fire(std::slice::from_ref(&firing)).await? == [true] {
                engine.enqueued(firing.occurrences.iter().map(|(_, append)| append));
                if let Some((_, append)) = firing.occurrences.first() {
                    return Ok(self.runtime.handle(append.run));
                }
            }
        }
        Err(restless(name))
    }

    async fn named(&self, names: &[&str]) -> Result<Vec<ScheduleRow>, Error> {
        let names = checked(names)?;
        Ok(self.runtime.engine.store.schedules_named(&self.namespace, &names).await?)
    }

    async fn read(&self, namespace: &Namespace, name: &ScheduleName) -> Result<ScheduleRow, Error> {
        let found = self.runtime.shown().schedules_named(namespace, std::slice::from_ref(name)).await?;
        found.into_iter().next().ok_or_else(|| nobodys(name.as_str()))
    }

    /// Changes schedules as they are at that moment: what changed since it was read is read again.
    async fn steer(
        &self,
        names: &[&str],
        change: impl Fn(&ScheduleRow) -> Result<Option<Steer>, Error>,
    ) -> Result<(), Error> {
        let names: BTreeSet<&str> = names.iter().copied().collect();
        let mut left: Vec<&str> = names.into_iter().collect();
        for _ in 0..TRIES_MAX {
            let rows = self.named(&left).await?;
            let found: BTreeSet<&str> = rows.iter().map(|row| row.spec.name.as_str()).collect();
            if let Some(missing) = left.iter().find(|name| !found.contains(**name)) {
                return Err(nobodys(missing));
            }
            let steers = rows.iter().map(&change).collect::<Result<Vec<_>, _>>()?;
            let steers: Vec<Steer> = steers.into_iter().flatten().collect();
            if steers.is_empty() {
                return Ok(());
            }
            let done = self.runtime.engine.store.steer_schedules(&steers).await?;
            self.runtime.rescheduled();
            let missed = |row: &&ScheduleRow| {
                let mut all = steers.iter().zip(&done);
                all.any(|(steer, done)| steer.schedule == row.id && !done)
            };
            let missed: BTreeSet<&str> =
                rows.iter().filter(missed).map(|row| row.spec.name.as_str()).collect();
            left.retain(|name| missed.contains(name));
            if left.is_empty() {
                return Ok(());
            }
        }
        Err(restless(left.first().copied().unwrap_or_default()))
    }
}

/// Begins a change of a schedule that was read.
fn steer(row: &ScheduleRow) -> Steer {
    Steer { schedule: row.id, revision: row.revision, next_at: None, once_at: None, paused_by: None }
}

fn checked(names: &[&str]) -> Result<Vec<ScheduleName>, Error> {
    check_count(names.len())?;
    Ok(names.iter().map(ScheduleName::new).collect::<Result<Vec<_>, _>>()?)
}

fn check_count(count: usize) -> Result<(), Error> {
    if count > SCHEDULES_AT_ONCE_MAX {
        let problem =
            format!("{count} schedules, the limit is {SCHEDULES_AT_ONCE_MAX}: do it in several calls");
        return Err(Error::Field { field: "names", problem });
    }
    Ok(())
}

fn nobodys(name: &str) -> Error {
    Error::NoSchedule { name: name.chars().take(64).collect() }
}

fn restless(name: &str) -> Error {
    let message = format!("schedule {name:?} changed each of {TRIES_MAX} times it was read: try again");
    Error::Store(StoreError::Refused { message })
}
