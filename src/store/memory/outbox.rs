//! The outbox in memory. Every commit is a step of its own here, so rows come in the order of their commits.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::faults::Call;
use super::{MemoryStore, World};
use crate::model::limits::{OUTBOX_COUNTED_MAX, REFUSED_SPANS_KEPT};
use crate::model::{RunId, Timestamp};
use crate::store::outbox::{
    Backlog, Commits, Committed, ExportBegun, Grown, Logs, OUTBOX_OPEN_FOR, Outbox, OutboxRow, Place,
    RefusedSpan, Stretch, Sweep, Tended,
};
use crate::store::{Answer, Append, Holder};

/// Runs that one question for a sweep looks at.
const RUNS_LOOKED_AT: usize = 500;

/// What was committed and is not exported yet, and who exports.
#[derive(Default)]
pub(super) struct Waiting {
    rows: BTreeMap<i64, Committed>,
    last: i64,
    open_until: Option<Timestamp>,
    holder: Option<(u64, Holder)>,
    sweep_since: Option<Timestamp>,
    sweep_after: Option<RunId>,
    refused: VecDeque<RefusedSpan>,
    refused_ever: u64,
}

impl World {
    /// Leaves a row for what a commit wrote, while somebody exports.
    pub(super) fn tell<'a>(&mut self, appends: impl IntoIterator<Item = &'a Append>, at: Timestamp) {
        let waiting = &mut self.waiting_for_export;
        if waiting.open_until.is_none_or(|until| until <= at) {
            return;
        }
        let stretch = |append: &Append| Stretch {
            run: append.run,
            first: append.expected.saturating_add(1),
            last: append.expected.saturating_add(u32::try_from(append.events.len()).unwrap_or(u32::MAX)),
        };
        let wrote = appends.into_iter().filter(|append| !append.events.is_empty());
        let stretches: Vec<Stretch> = wrote.map(stretch).collect();
        if !stretches.is_empty() {
            waiting.last += 1;
            let row = OutboxRow { xid: 0, id: waiting.last };
            waiting.rows.insert(waiting.last, Committed { row, at, stretches });
        }
    }

    fn grown(&self, run: RunId, after: u32, limit: u32) -> Option<Grown> {
        let found = self.runs.get(&run).filter(|found| found.seq() > after)?;
        let mut grown = Grown { run, events: Vec::new(), unreadable: None };
        let entries = (1_u32..).zip(&found.log).skip(usize::try_from(after).unwrap_or(usize::MAX));
        for (seq, entry) in entries.take(usize::try_from(limit).unwrap_or(usize::MAX)) {
            match entry.decode(seq) {
                Ok(event) => grown.events.push(event),
                Err(unreadable) => {
                    grown.unreadable = Some(unreadable);
                    break;
                }
            }
        }
        Some(grown)
    }

    fn sweep(&self) -> Sweep {
        let Some(since) = self.waiting_for_export.sweep_since else { return Sweep::Nothing };
        let after = self.waiting_for_export.sweep_after;
        let rest = self.runs.iter().filter(|(id, _)| after.is_none_or(|after| **id > after));
        let looked: Vec<_> = rest.take(RUNS_LOOKED_AT).collect();
        let next = looked.last().filter(|_| looked.len() == RUNS_LOOKED_AT).map(|(id, _)| **id);
        let touched = looked.into_iter().filter(|(_, run)| {
            !run.row.status.is_terminal() || run.row.finished_at.is_some_and(|at| at >= since)
        });
        Sweep::Runs { runs: touched.map(|(id, _)| *id).collect(), next }
    }
}

impl Waiting {
    /// Says whether a process is the exporter.
    fn is_held_by(&self, process: u64, now: Timestamp) -> bool {
        self.holder.as_ref().is_some_and(|(of, holder)| *of == process && holder.until >= now)
    }

    /// Keeps the exporter what it is; says whether it is one.
    fn hold(&mut self, process: u64, now: Timestamp, lease: Duration) -> bool {
        let held = self.is_held_by(process, now);
        if let Some((_, holder)) = self.holder.as_mut().filter(|_| held) {
            holder.until = now + lease;
        }
        held
    }

    fn tend(&mut self, process: u64, now: Timestamp) -> Tended {
        if !self.is_held_by(process, now) {
            return Tended::Lost;
        }
        if self.open_until.is_none_or(|until| until <= now) {
            let since = self.open_until.unwrap_or(now);
            self.sweep_since = Some(self.sweep_since.map_or(since, |before| before.min(since)));
            self.sweep_after = None;
        }
        self.open_until = Some(now + OUTBOX_OPEN_FOR);
        if self.sweep_since.is_some() { Tended::OpenAndSweeps } else { Tended::Open }
    }

    fn read(&self, place: &Place, limit: u32) -> Commits {
        let after = place.row.map_or(0, |row| row.id);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let rest = self.rows.range(after.saturating_add(1)..).map(|(_, commit)| commit.clone());
        let commits: Vec<Committed> = rest.take(limit).collect();
        let row = commits.last().map(|commit| commit.row).or(place.row);
        let more = commits.len() == limit;
        Commits { commits, next: Place { row, ..Place::default() }, more }
    }

    fn pass(&mut self, rows: &[OutboxRow], refused: &[RefusedSpan], now: Timestamp) {
        rows.iter().for_each(|row| drop(self.rows.remove(&row.id)));
        self.refused_ever += u64::try_from(refused.len()).unwrap_or_default();
        self.refused.extend(refused.iter().map(|span| RefusedSpan { at: now, ..span.clone() }));
        let kept = usize::try_from(REFUSED_SPANS_KEPT).unwrap_or(usize::MAX);
        self.refused.drain(..self.refused.len().saturating_sub(kept));
    }

    fn backlog(&self, now: Timestamp) -> Backlog {
        let counted = usize::try_from(OUTBOX_COUNTED_MAX).unwrap_or(usize::MAX);
        Backlog {
            commits: u64::try_from(self.rows.len().min(counted)).unwrap_or_default(),
            oldest: self.rows.values().map(|commit| commit.at).min(),
            now,
            open_until: self.open_until,
            sweeps: self.sweep_since.is_some(),
            holder: self
                .holder
                .as_ref()
                .map(|(_, holder)| holder.clone())
                .filter(|holder| holder.until >= now),
            refused: self.refused_ever,
        }
    }
}

impl Outbox for MemoryStore {
    fn begin_export<'a>(&'a self, by: &'a str, lease: Duration) -> Answer<'a, ExportBegun> {
        let process = self.process;
        self.call(Call::of("begin_export"), move |world, now| {
            let waiting = &mut world.waiting_for_export;
            match &waiting.holder {
                Some((of, holder)) if *of != process && holder.until >= now => {
                    Ok(ExportBegun::Held(holder.clone()))
                }
                Some(_) | None => {
                    waiting.holder = Some((process, Holder { by: by.to_owned(), until: now + lease }));
                    Ok(ExportBegun::Yours)
                }
            }
        })
    }

    fn hold_export(&self, lease: Duration) -> Answer<'_, bool> {
        let process = self.process;
        self.call(Call::of("hold_export"), move |world, now| {
            Ok(world.waiting_for_export.hold(process, now, lease))
        })
    }

    fn end_export(&self) -> Answer<'_, ()> {
        let process = self.process;
        self.call(Call::of("end_export"), move |world, _| {
            world.waiting_for_export.holder.take_if(|(of, _)| *of == process);
            Ok(())
        })
    }

    fn tend_export(&self) -> Answer<'_, Tended> {
        let process = self.process;
        self.call(Call::of("tend_export"), move |world, now| Ok(world.waiting_for_export.tend(process, now)))
    }

    fn outbox<'a>(&'a self, place: &'a Place, limit: u32) -> Answer<'a, Commits> {
        self.call(Call::of("outbox"), move |world, _| Ok(world.waiting_for_export.read(place, limit)))
    }

    fn pass_outbox<'a>(
        &'a self,
        rows: &'a [OutboxRow],
        refused: &'a [RefusedSpan],
        lease: Duration,
    ) -> Answer<'a, bool> {
        let process = self.process;
        self.call(Call::of("pass_outbox"), move |world, now| {
            let held = world.waiting_for_export.hold(process, now, lease);
            if held {
                world.waiting_for_export.pass(rows, refused, now);
            }
            Ok(held)
        })
    }

    fn sweep(&self) -> Answer<'_, Sweep> {
        self.call(Call::of("sweep"), move |world, _| Ok(world.sweep()))
    }

    fn swept(&self, next: Option<RunId>) -> Answer<'_, ()> {
        self.call(Call::of("swept"), move |world, _| {
            let waiting = &mut world.waiting_for_export;
            waiting.sweep_after = next;
            waiting.sweep_since = waiting.sweep_since.filter(|_| next.is_some());
            Ok(())
        })
    }

    fn grown<'a>(&'a self, runs: &'a [(RunId, u32)], limit: u32) -> Answer<'a, Logs> {
        self.call(Call::of("grown"), move |world, _| {
            let mut left = limit;
            let mut logs = Vec::new();
            for (run, after) in runs {
                if let Some(grown) = world.grown(*run, *after, left) {
                    left -= u32::try_from(grown.events.len()).unwrap_or(left);
                    logs.push(grown);
                }
                if left == 0 {
                    break;
                }
            }
            Ok(Logs { logs, cut: left == 0 })
        })
    }

    fn ended<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<RunId>> {
        self.call(Call::of("ended"), move |world, _| {
            let ended = |run: &&RunId| world.runs.get(run).is_some_and(|run| run.row.status.is_terminal());
            Ok(runs.iter().filter(ended).copied().collect())
        })
    }

    fn backlog(&self) -> Answer<'_, Backlog> {
        self.call(Call::of("backlog"), move |world, now| Ok(world.waiting_for_export.backlog(now)))
    }

    fn refused_spans(&self, limit: u32) -> Answer<'_, Vec<RefusedSpan>> {
        self.call(Call::of("refused_spans"), move |world, _| {
            let last = world.waiting_for_export.refused.iter().rev();
            Ok(last.take(usize::try_from(limit).unwrap_or(usize::MAX)).cloned().collect())
        })
    }
}
