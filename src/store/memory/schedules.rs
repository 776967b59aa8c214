//! Schedules and their occurrences.

use std::collections::{BTreeMap, BTreeSet};

use super::MemoryStore;
use super::faults::Call;
use super::world::World;
use crate::model::limits::SCHEDULE_KEPT;
use crate::model::{Namespace, ScheduleName, Timestamp};
use crate::store::{
    Answer, Firing, NewSchedule, NextSchedule, Put, ScheduleQuery, ScheduleRow, Schedules, Steer, StoreError,
    Times,
};

/// The tables of schedules.
#[derive(Default)]
pub(super) struct Timetable {
    rows: BTreeMap<(Namespace, ScheduleName), Kept>,
    /// The index of those that are to be looked at.
    waking: BTreeSet<(Timestamp, i64)>,
    names: BTreeMap<i64, (Namespace, ScheduleName)>,
    occurrences: BTreeSet<(i64, Timestamp)>,
    last_id: i64,
}

struct Kept {
    row: ScheduleRow,
    wake_at: Option<Timestamp>,
}

impl Timetable {
    /// Changes a row and keeps the index in step with it.
    fn change(&mut self, name: &(Namespace, ScheduleName), change: impl FnOnce(&mut Kept)) {
        let Some(kept) = self.rows.get_mut(name) else { return };
        if let Some(at) = kept.wake_at {
            self.waking.remove(&(at, kept.row.id));
        }
        change(kept);
        if let Some(at) = kept.wake_at {
            self.waking.insert((at, kept.row.id));
        }
    }

    fn put(&mut self, new: &NewSchedule, replace: bool, now: Timestamp) -> Put {
        let name = (new.spec.namespace.clone(), new.spec.name.clone());
        let Some(kept) = self.rows.get(&name) else {
            self.last_id += 1;
            let row = ScheduleRow {
                id: self.last_id,
                spec: new.spec.clone(),
                declared: new.declared,
                created_at: now,
                created_by: new.by.clone(),
                revision: 1,
                paused_at: None,
                paused_by: None,
                next_at: new.next_at,
                last_due: None,
                last_run: None,
                fired: 0,
                failure: None,
                failures: 0,
                ended_at: None,
            };
            self.names.insert(row.id, name.clone());
            self.rows.insert(name.clone(), Kept { row, wake_at: None });
            self.change(&name, |kept| kept.wake_at = new.next_at);
            return Put::Created;
        };
        if !replace || (kept.row.spec == new.spec && kept.row.declared == new.declared) {
            return Put::Left;
        }
        self.change(&name, |Kept { row, wake_at }| {
            row.spec = new.spec.clone();
            row.declared = new.declared;
            row.created_by.clone_from(&new.by);
            row.next_at = new.next_at;
            row.revision += 1;
            (row.failure, row.failures, row.ended_at) = (None, 0, None);
            *wake_at = new.next_at.filter(|_| row.paused_at.is_none());
        });
        Put::Changed
    }

    fn steer(&mut self, steer: &Steer, now: Timestamp) -> bool {
        let Some(name) = self.read_as(steer.schedule, steer.revision) else { return false };
        self.change(&name, |Kept { row, wake_at }| {
            row.next_at = steer.next_at;
            if let Some(at) = steer.once_at {
                row.spec.times = Times::At(at);
            }
            match &steer.paused_by {
                Some(by) => {
                    row.paused_at = row.paused_at.or(Some(now));
                    row.paused_by = row.paused_by.take().or_else(|| Some(by.clone()));
                }
                None => (row.paused_at, row.paused_by) = (None, None),
            }
            row.revision += 1;
            (row.failure, row.failures) = (None, 0);
            row.ended_at = if row.next_at.is_none() { row.ended_at.or(Some(now)) } else { None };
            *wake_at = row.next_at.filter(|_| row.paused_at.is_none());
        });
        true
    }

    /// Finds a schedule that is still of a revision.
    fn read_as(&self, id: i64, revision: i32) -> Option<(Namespace, ScheduleName)> {
        let name = self.names.get(&id)?;
        self.rows.get(name).filter(|kept| kept.row.revision == revision).map(|_| name.clone())
    }

    fn remove(&mut self, name: &(Namespace, ScheduleName)) -> bool {
        self.change(name, |kept| kept.wake_at = None);
        let Some(removed) = self.rows.remove(name) else { return false };
        let id = removed.row.id;
        self.names.remove(&id);
        self.occurrences.retain(|(schedule, _)| *schedule != id);
        true
    }
}

impl World {
    fn fire(&mut self, firing: &Firing, now: Timestamp) -> Result<bool, StoreError> {
        let Some(name) = self.timetable.read_as(firing.schedule, firing.revision) else { return Ok(false) };
        let mut started = Vec::new();
        for (due, append) in &firing.occurrences {
            if self.timetable.occurrences.insert((firing.schedule, *due)) {
                self.create(std::slice::from_ref(append), now)?;
                started.push((*due, append.run));
            }
        }
        self.timetable.change(&name, |Kept { row, wake_at }| {
            row.next_at = firing.next_at;
            row.revision += 1;
            if let Some((due, run)) = started.iter().max() {
                (row.last_due, row.last_run) = (Some(*due), Some(*run));
            }
            row.fired += u64::try_from(started.len()).unwrap_or_default();
            (row.failure, row.failures) = (None, 0);
            row.ended_at = if row.next_at.is_none() { row.ended_at.or(Some(now)) } else { None };
            *wake_at = row.next_at.filter(|_| row.paused_at.is_none());
        });
        Ok(true)
    }
}

impl Schedules for MemoryStore {
    fn put_schedules<'a>(&'a self, new: &'a [NewSchedule], replace: bool) -> Answer<'a, Vec<Put>> {
        self.call(Call::of("put_schedules"), move |world, now| {
            Ok(new.iter().map(|new| world.timetable.put(new, replace, now)).collect())
        })
    }

    fn schedules_named<'a>(
        &'a self,
        namespace: &'a Namespace,
        names: &'a [ScheduleName],
    ) -> Answer<'a, Vec<ScheduleRow>> {
        self.call(Call::of("schedules_named"), move |world, _| {
            let row = |name: &ScheduleName| world.timetable.rows.get(&(namespace.clone(), name.clone()));
            Ok(names.iter().filter_map(row).map(|kept| kept.row.clone()).collect())
        })
    }

    fn schedules<'a>(&'a self, query: &'a ScheduleQuery) -> Answer<'a, Vec<ScheduleRow>> {
        self.call(Call::of("schedules"), move |world, _| {
            let wanted = |row: &&ScheduleRow| {
                let ScheduleRow { spec, .. } = row;
                let place = (spec.namespace.clone(), spec.name.clone());
                query.namespace.as_ref().is_none_or(|namespace| spec.namespace == *namespace)
                    && query.workflow.as_ref().is_none_or(|workflow| spec.workflow == *workflow)
                    && query.prefix.as_ref().is_none_or(|prefix| spec.name.as_str().starts_with(prefix))
                    && query.after.as_ref().is_none_or(|after| place > *after)
            };
            let rows = world.timetable.rows.values().map(|kept| &kept.row).filter(wanted);
            Ok(rows.take(usize::try_from(query.limit).unwrap_or(usize::MAX)).cloned().collect())
        })
    }

    fn steer_schedules<'a>(&'a self, steers: &'a [Steer]) -> Answer<'a, Vec<bool>> {
        self.call(Call::of("steer_schedules"), move |world, now| {
            Ok(steers.iter().map(|steer| world.timetable.steer(steer, now)).collect())
        })
    }

    fn delete_schedules<'a>(
        &'a self,
        namespace: &'a Namespace,
        names: &'a [ScheduleName],
    ) -> Answer<'a, Vec<ScheduleName>> {
        self.call(Call::of("delete_schedules"), move |world, _| {
            let deleted = |name: &&ScheduleName| {
                world.timetable.remove(&(namespace.clone(), ScheduleName::clone(name)))
            };
            Ok(names.iter().filter(deleted).cloned().collect())
        })
    }

    fn next_schedule(&self) -> Answer<'_, NextSchedule> {
        self.call(Call::of("next_schedule"), |world, now| {
            Ok(NextSchedule { wake_at: world.timetable.waking.first().map(|(at, _)| *at), now })
        })
    }

    fn due_schedules(&self, limit: u32) -> Answer<'_, Vec<ScheduleRow>> {
        self.call(Call::of("due_schedules"), move |world, now| {
            let timetable = &world.timetable;
            let due = timetable.waking.iter().take_while(|(at, _)| *at <= now);
            let row = |(_, id): &(Timestamp, i64)| timetable.rows.get(timetable.names.get(id)?);
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            Ok(due.take(limit).filter_map(row).map(|kept| kept.row.clone()).collect())
        })
    }

    fn fire<'a>(&'a self, firings: &'a [Firing]) -> Answer<'a, Vec<bool>> {
        self.call(Call::of("fire"), move |world, now| {
            firings.iter().map(|firing| world.fire(firing, now)).collect()
        })
    }

    fn note_schedule_failure<'a>(
        &'a self,
        schedule: i64,
        revision: i32,
        failure: &'a str,
        retry_at: Timestamp,
    ) -> Answer<'a, ()> {
        self.call(Call::of("note_schedule_failure"), move |world, _| {
            let Some(name) = world.timetable.read_as(schedule, revision) else { return Ok(()) };
            world.timetable.change(&name, |Kept { row, wake_at }| {
                if wake_at.is_some() {
                    row.failure = Some(failure.to_owned());
                    row.failures += 1;
                    row.revision += 1;
                    *wake_at = Some(retry_at);
                }
            });
            Ok(())
        })
    }

    fn sweep_schedules(&self) -> Answer<'_, u64> {
        self.call(Call::of("sweep_schedules"), |world, now| {
            let is_old = |row: &ScheduleRow| {
                let since = row.ended_at.and_then(|ended| (now - ended).to_std().ok());
                row.spec.times.once().is_some() && since.is_some_and(|since| since > SCHEDULE_KEPT)
            };
            let old = world.timetable.rows.iter().filter(|(_, kept)| is_old(&kept.row));
            let old: Vec<_> = old.map(|(name, _)| name.clone()).collect();
            let removed = old.iter().filter(|name| world.timetable.remove(name)).count();
            Ok(u64::try_from(removed).unwrap_or_default())
        })
    }
}
