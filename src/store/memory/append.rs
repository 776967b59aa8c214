//! Writing: the group commit and the creation of runs.

use std::collections::{BTreeMap, BTreeSet};

use super::simulated::Seen;
use super::world::{Entry, FullKey, Gate, Listed, Run, World, full_key};
use crate::model::{NodeId, RunId, Status, Timestamp};
use crate::store::{Append, Appended, Commit, Created, NewRun, Release, RowChange, RunRow, StoreError};

/// What one look at a log says of an append.
enum Found {
    /// Its events are not there.
    Nothing,
    /// They are there, written by this node at this time.
    Written(Timestamp),
}

impl World {
    /// Writes a batch whose fence was passed at `now`.
    pub(super) fn append(
        &mut self,
        node: NodeId,
        batch: &[Commit],
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        let (appends, existing) = self.without_taken_keys(batch);
        if let Some(at) = self.written_before(node, &appends)? {
            self.notice(|noticed| noticed.repeated += 1);
            let kept =
                appends.iter().filter(|append| self.was_kept(append)).map(|append| append.run).collect();
            return Ok(Appended { at, kept, existing });
        }
        let appends: Vec<&Append> =
            appends.into_iter().filter(|append| !self.is_settled(node, append)).collect();
        check_distinct(&appends)?;
        for append in &appends {
            self.check(node, append)?;
        }
        let mut kept = Vec::new();
        for append in &appends {
            if self.write(Some(node), append, now) {
                kept.push(append.run);
            }
        }
        self.tell(appends.iter().copied(), now);
        self.notice(|noticed| noticed.kept += u64::try_from(kept.len()).unwrap_or_default());
        for mail in appends.iter().flat_map(|append| &append.mail) {
            self.send(mail.to, &mail.body, now);
        }
        Ok(Appended { at: now, kept, existing })
    }

    pub(super) fn create(&mut self, runs: &[Append], now: Timestamp) -> Result<Vec<Created>, StoreError> {
        let mut answers = Vec::with_capacity(runs.len());
        let mut new: Vec<&Append> = Vec::with_capacity(runs.len());
        let mut new_keys: BTreeMap<FullKey, RunId> = BTreeMap::new();
        for append in runs {
            let key = queued(append).map(full_key)?;
            let holder =
                key.as_ref().and_then(|key| self.keys.get(key).or_else(|| new_keys.get(key)).copied());
            if let Some(run) = holder.filter(|run| *run != append.run) {
                answers.push(Created { run, created: false });
                continue;
            }
            if let Found::Nothing = self.find_events(None, append)? {
                new.push(append);
                new_keys.extend(key.map(|key| (key, append.run)));
            }
            answers.push(Created { run: append.run, created: true });
        }
        check_distinct(&new)?;
        for append in &new {
            self.write(None, append, now);
        }
        self.tell(new, now);
        Ok(answers)
    }

    /// Leaves out the commits with a new run whose key another run has, and names those runs.
    fn without_taken_keys<'a>(&self, batch: &'a [Commit]) -> (Vec<&'a Append>, Vec<RunId>) {
        let (mut appends, mut existing) = (Vec::new(), Vec::new());
        let mut new_keys: BTreeMap<FullKey, RunId> = BTreeMap::new();
        for commit in batch {
            let mut keys_of_commit: BTreeMap<FullKey, RunId> = BTreeMap::new();
            let existing_before = existing.len();
            for append in &commit.appends {
                let Some(key) = append.born.as_deref().and_then(full_key) else { continue };
                let holder =
                    self.keys.get(&key).or_else(|| new_keys.get(&key)).or_else(|| keys_of_commit.get(&key));
                if holder.is_some_and(|holder| *holder != append.run) {
                    existing.push(append.run);
                }
                keys_of_commit.insert(key, append.run);
            }
            if existing.len() == existing_before {
                appends.extend(&commit.appends);
                new_keys.extend(keys_of_commit);
            }
        }
        (appends, existing)
    }

    /// Returns when this very batch was committed, if it was: its answer was lost.
    fn written_before(&self, node: NodeId, appends: &[&Append]) -> Result<Option<Timestamp>, StoreError> {
        let mut first: Option<(Timestamp, &Append)> = None;
        let mut missing = false;
        for append in appends.iter().filter(|append| !append.events.is_empty()) {
            match self.find_events(Some(node), append)? {
                Found::Nothing => missing = true,
                Found::Written(at) => first = first.or(Some((at, append))),
            }
        }
        match first {
            // A batch is written whole or not at all: this is another one, with some of the same appends.
            Some((_, append)) if missing => Err(conflict(append, 0)),
            Some((at, _)) => Ok(Some(at)),
            None => Ok(None),
        }
    }

    /// Looks for the events of an append in the log.
    fn find_events(&self, node: Option<NodeId>, append: &Append) -> Result<Found, StoreError> {
        let log = self.runs.get(&append.run).map(|run| run.log.as_slice()).unwrap_or_default();
        let from = usize::try_from(append.expected).unwrap_or(usize::MAX);
        let Some(found) = log.get(from..).filter(|rest| !rest.is_empty()) else { return Ok(Found::Nothing) };
        let same = append
            .events
            .iter()
            .zip(found)
            .take_while(|(event, entry)| entry.node == node && entry.event == **event);
        let same = same.count();
        match found.first() {
            Some(entry) if same == append.events.len() => Ok(Found::Written(entry.at)),
            _ => Err(conflict(append, same)),
        }
    }

    fn was_kept(&self, append: &Append) -> bool {
        self.runs.get(&append.run).is_some_and(|run| run.kept_at.contains(&last_seq(append)))
    }

    /// Says whether an append without events has nothing left to change, because it comes for the second time: its
    /// node gave the run away, and may have claimed it again since.
    fn is_settled(&self, node: NodeId, append: &Append) -> bool {
        let Some(row) = self.runs.get(&append.run).map(|run| &run.row) else { return false };
        let release = append.row.as_ref().and_then(|row| row.release);
        let is_old = release.is_some_and(|release| release.claims != row.claims);
        append.events.is_empty() && append.born.is_none() && (row.owner != Some(node) || is_old)
    }

    fn check(&mut self, node: NodeId, append: &Append) -> Result<(), StoreError> {
        let run = append.run;
        let (seq, before, owner) = match (self.runs.get(&run), append.born.as_deref()) {
            (None, Some(born)) => (0, born.status, (born.status == Status::Running).then_some(node)),
            (Some(found), None) => (found.seq(), found.row.status, found.row.owner),
            (Some(_), Some(_)) => return Err(conflict(append, 0)),
            (None, None) => return Err(refused(format!("there is no run {run}"))),
        };
        if before.is_terminal() && append.born.is_some() {
            return Err(refused(format!("run {run} cannot be born as {before}")));
        }
        if seq != append.expected {
            return Err(refused(format!(
                "run {run} has {seq} events, the append expects {}",
                append.expected
            )));
        }
        let after = append.row.as_ref().map_or(before, |row| row.status);
        if after != before && !before.may_become(after) {
            return Err(refused(format!("run {run} is {before} and may not become {after}")));
        }
        if append.born.is_none() && owner != Some(node) {
            let message = format!("node {node} appends to run {run}, whose owner is {owner:?}");
            // Postgres writes such events, for ownership is what the fence guards.
            return self.breach(message).map_err(|message| StoreError::Bug { message });
        }
        Ok(())
    }

    /// Writes a checked append; says whether its release was left out.
    fn write(&mut self, node: Option<NodeId>, append: &Append, at: Timestamp) -> bool {
        if let Some(born) = &append.born {
            self.bear(node, append.run, born, at);
        }
        if let Some(run) = self.runs.get_mut(&append.run) {
            run.log.extend(append.events.iter().map(|event| Entry { at, node, event: event.clone() }));
            self.events += u64::try_from(append.events.len()).unwrap_or_default();
        }
        for (seq, event) in (append.expected.saturating_add(1)..).zip(&append.events) {
            self.observe(Seen::Event { run: append.run, seq, kind: event.kind, node });
        }
        self.take(append.run, &append.taken);
        self.note_awaits(append);
        let owns = node.is_none() || self.runs.get(&append.run).is_some_and(|run| run.row.owner == node);
        append.row.as_ref().filter(|_| owns).is_some_and(|row| self.change_row(append, row, at))
    }

    fn bear(&mut self, node: Option<NodeId>, id: RunId, born: &NewRun, at: Timestamp) {
        let running = born.status == Status::Running;
        let row = RunRow {
            run: id,
            namespace: born.namespace.clone(),
            workflow: born.workflow.clone(),
            version: born.version.clone(),
            key: born.key.clone(),
            status: born.status,
            priority: born.priority,
            owner: node.filter(|_| running),
            wake_at: born.wake_at.filter(|_| !running),
            deadline_at: born.deadline_at,
            started_at: running.then_some(at),
            finished_at: None,
            parent: born.parent,
            mail_seen: 0,
            claimed_at: running.then_some(at),
            claims: 0,
            deaths: 0,
            archived_at: None,
            imported: false,
        };
        let listed = Listed {
            trigger: born.trigger.clone(),
            metadata: born.metadata.clone(),
            node: None,
            failure: None,
        };
        let key = born.limit_key.clone().filter(|_| !running);
        let due = row.wake_at.unwrap_or(at);
        let gate = key.map(|key| Gate {
            key,
            at: Some(due.max(at)),
            came: due.max(at),
            since: due,
            let_in_at: None,
            burst: None,
            gives_way: false,
        });
        self.keys.extend(full_key(born).map(|key| (key, id)));
        self.children.extend(born.parent.map(|parent| (parent, id)));
        self.replays.extend(born.trigger.replay_of.map(|of| (of, id)));
        self.runs.insert(
            id,
            Run {
                row,
                listed,
                log: Vec::new(),
                snapshot: None,
                died_with: None,
                kept_at: BTreeSet::new(),
                gate,
            },
        );
        self.change(id, |_| {});
    }

    /// Says whether the release was left out, because a message came that the owner has not seen.
    fn change_row(&mut self, append: &Append, change: &RowChange, at: Timestamp) -> bool {
        let owner = self.runs.get(&append.run).and_then(|run| run.row.owner);
        self.change(append.run, |row| {
            if row.status == Status::Queued && change.status == Status::Running {
                row.started_at = Some(at);
            }
            row.status = change.status;
            row.deadline_at = change.deadline_at;
            row.deaths = 0;
            if row.status.is_terminal() {
                (row.finished_at, row.deadline_at) = (Some(at), None);
                (row.owner, row.claimed_at, row.wake_at) = (None, None, None);
            }
        });
        if let Some(run) = self.runs.get_mut(&append.run).filter(|run| run.row.status.is_terminal()) {
            run.listed.node = owner;
            run.listed.failure = change.failure.as_deref().cloned();
        }
        let Some(Release { wake_at, mail_seen, claims }) = change.release else { return false };
        let Some(run) = self.runs.get_mut(&append.run).filter(|run| !run.row.status.is_terminal()) else {
            return false;
        };
        if run.row.claims != claims {
            return false;
        }
        if run.row.mail_seen > mail_seen {
            run.kept_at.insert(last_seq(append));
            return true;
        }
        run.kept_at.remove(&last_seq(append));
        self.release(append.run, wake_at);
        false
    }
}

fn queued(append: &Append) -> Result<&NewRun, StoreError> {
    let born = append.born.as_deref().filter(|born| born.status == Status::Queued && append.expected == 0);
    born.ok_or_else(|| StoreError::Bug { message: format!("run {} is not created as QUEUED", append.run) })
}

fn check_distinct(appends: &[&Append]) -> Result<(), StoreError> {
    let mut seen = BTreeSet::new();
    match appends.iter().find(|append| !seen.insert(append.run)) {
        Some(twice) => Err(refused(format!("run {} stands in one batch twice", twice.run))),
        None => Ok(()),
    }
}

/// The seq of the run's last event once the append is written.
fn last_seq(append: &Append) -> u32 {
    append.expected.saturating_add(u32::try_from(append.events.len()).unwrap_or(u32::MAX))
}

fn conflict(append: &Append, same: usize) -> StoreError {
    let seq = append.expected.saturating_add(1).saturating_add(u32::try_from(same).unwrap_or(u32::MAX));
    StoreError::Conflict { run: append.run, seq }
}

fn refused(message: String) -> StoreError {
    StoreError::Refused { message }
}
