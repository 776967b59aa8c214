//! Lists, counts and groups of runs, by the filter's own words.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::world::{Run, World};
use crate::model::limits::{
    COUNT_MAX, ENDED_SPANS_MAX, FAILURE_GROUPS_MAX, SEEN_RUNS_MAX, SEEN_VALUE_CHARS_MAX,
};
use crate::model::{Namespace, RunId, RunSummary, Status, TaskName, Timestamp};
use crate::store::{
    Alike, EndedSpan, FailureGroup, FailureGroups, RunCount, RunPage, RunQuery, RunsEnded, Seen,
};

/// What counts as lately.
const DAY: Duration = Duration::from_secs(24 * 3_600);

impl World {
    pub(super) fn list(&self, query: &RunQuery) -> RunPage {
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let mut runs: Vec<RunSummary> = self.wanted(query).take(limit.saturating_add(1)).collect();
        let more = runs.len() > limit;
        runs.truncate(limit);
        let next = runs.last().filter(|_| more).map(|run| run.run);
        RunPage { runs, next, searched_to: None }
    }

    pub(super) fn count(&self, query: &RunQuery) -> RunCount {
        let mut count = RunCount::default();
        for run in self.wanted(query).take(COUNT_MAX as usize) {
            *count.by_status.entry(run.status).or_default() += 1;
        }
        count.capped = count.total() >= u64::from(COUNT_MAX);
        count
    }

    pub(super) fn failures(&self, query: &RunQuery) -> FailureGroups {
        let mut groups: BTreeMap<String, FailureGroup> = BTreeMap::new();
        for run in self.wanted(query) {
            let (Some(failure), Some(ended)) = (run.failure, run.finished_at) else { continue };
            // The newest run comes first, and is the group's example.
            let group = groups.entry(failure.fingerprint.clone()).or_insert_with(|| FailureGroup {
                fingerprint: failure.fingerprint,
                count: 0,
                workflow: run.workflow,
                task: failure.task,
                kind: failure.kind,
                message: failure.message,
                location: failure.location,
                first: ended,
                last: ended,
                newest: run.run,
            });
            group.count += 1;
            group.first = group.first.min(ended);
            group.last = group.last.max(ended);
        }
        let mut groups: Vec<FailureGroup> = groups.into_values().collect();
        groups.sort_by_key(|group| Reverse((group.count, group.newest)));
        let capped = groups.len() > FAILURE_GROUPS_MAX as usize;
        groups.truncate(FAILURE_GROUPS_MAX as usize);
        FailureGroups { groups, capped }
    }

    pub(super) fn ended(&self, query: &RunQuery, every: Duration) -> RunsEnded {
        let seconds = i64::try_from(every.as_secs()).unwrap_or(i64::MAX).max(1);
        let mut spans: BTreeMap<i64, BTreeMap<Status, u64>> = BTreeMap::new();
        for run in self.wanted(query) {
            let Some(at) = run.finished_at else { continue };
            let span = spans.entry(at.timestamp().div_euclid(seconds)).or_default();
            *span.entry(run.status).or_default() += 1;
        }
        let left_out = spans.len().saturating_sub(ENDED_SPANS_MAX as usize);
        let spans = spans.into_iter().skip(left_out).map(|(number, by_status)| {
            let from = Timestamp::from_timestamp(number * seconds, 0).unwrap_or_default();
            EndedSpan { from, by_status }
        });
        RunsEnded { spans: spans.collect(), capped: left_out > 0 }
    }

    pub(super) fn seen_values(&self, namespace: &Namespace) -> Seen {
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        let runs = self.runs.values().rev().filter(|run| run.row.namespace == *namespace).map(Run::summary);
        for run in runs.take(SEEN_RUNS_MAX as usize) {
            let mut add = |name: String, value: &str| {
                *counts.entry((name, value.to_owned())).or_default() += 1;
            };
            add("workflow".to_owned(), run.workflow.as_str());
            add("version".to_owned(), run.version.as_str());
            if let Some(failure) = &run.failure {
                failure.task.iter().for_each(|task| add("failed_task".to_owned(), task.as_str()));
                add("kind".to_owned(), &failure.kind);
            }
            run.metadata.iter().for_each(|(name, value)| add(format!("meta.{name}"), value));
        }
        let mut counts: Vec<((String, String), u64)> = counts.into_iter().collect();
        counts.sort_by(|((name, value), runs), ((other_name, other_value), other_runs)| {
            (name, Reverse(runs), value).cmp(&(other_name, Reverse(other_runs), other_value))
        });
        let mut seen = Seen::default();
        let short = |value: &String| value.chars().count() <= SEEN_VALUE_CHARS_MAX as usize;
        for (name, value) in counts.into_iter().map(|(pair, _)| pair).filter(|(_, value)| short(value)) {
            seen.add(&name, value);
        }
        seen
    }

    pub(super) fn alike(&self, run: RunId, named: u32, now: Timestamp) -> Option<Alike> {
        let asked = self.runs.get(&run)?.summary();
        let fingerprint = asked.failure?.fingerprint;
        let others = self
            .runs
            .values()
            .rev()
            .filter(|other| other.row.run != run && other.row.namespace == asked.namespace);
        let prints =
            |other: &&Run| other.summary().failure.is_some_and(|failure| failure.fingerprint == fingerprint);
        let alike: Vec<RunId> =
            others.filter(prints).take(COUNT_MAX as usize).map(|other| other.row.run).collect();
        let day_ago = RunId::first_at(now - DAY);
        let day = alike.iter().filter(|run| **run >= day_ago).count() as u64;
        let newest = alike.iter().take(named as usize).copied().collect();
        Some(Alike { fingerprint, all: alike.len() as u64, day, newest })
    }

    /// Lists the runs that are asked for, the newest first.
    fn wanted<'a>(&'a self, query: &'a RunQuery) -> impl Iterator<Item = RunSummary> + 'a {
        let before = |run: &&Run| query.before.is_none_or(|before| run.row.run < before);
        let runs = self.runs.values().rev().filter(|run| run.row.namespace == query.namespace).filter(before);
        let tasks = |run: &RunSummary| -> Vec<TaskName> {
            let of = self
                .tasks
                .iter()
                .filter(|(_, name, version)| *name == run.workflow && *version == run.version);
            of.map(|(task, ..)| task.clone()).collect()
        };
        runs.map(Run::summary).filter(move |run| query.filter.matches(run, &tasks(run), query.now))
    }
}
