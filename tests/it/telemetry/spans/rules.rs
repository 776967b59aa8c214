//! What must hold of any trace, and how Jaeger reads one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use runlog::model::event::{ReusedOp, RunEvent};
use runlog::model::state::{OpState, RunState};
use runlog::model::status::TaskStatus;
use runlog::model::{Event, OpKey, Recorded, RunId, SpanId, Status, TaskEvent, TaskName, Timestamp, evolve};
use runlog::telemetry::ids;
use runlog::telemetry::spans::{Span, Tracer};

/// When spans begin and end.
type Times = BTreeMap<SpanId, (Timestamp, Timestamp)>;

/// Folds a whole log.
pub(super) fn spans_of(run: RunId, log: &[Recorded]) -> Vec<Span> {
    let mut tracer = Tracer::new(run);
    log.iter().flat_map(|recorded| tracer.record(recorded)).collect()
}

/// Reads a trace as Jaeger 2 does (`adjuster/clockskew.go`), and returns its warnings. All of our spans have one `host.id`, so
/// that it never compares their times; those of the `elsewhere` spans have another.
pub(super) fn jaeger(spans: &[Span], elsewhere: &BTreeMap<SpanId, (Timestamp, Timestamp)>) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut known = BTreeMap::new();
    for span in spans {
        match known.insert(span.span_id, span) {
            // Exact duplicates are one span before this is reached.
            Some(other) if other == span => {}
            Some(_) => warnings.push(format!("{}: duplicate span IDs", span.name)),
            None => {}
        }
    }
    for span in known.values() {
        let Some(parent) = span.parent.filter(|parent| !known.contains_key(parent)) else { continue };
        let Some((start, end)) = elsewhere.get(&parent) else {
            warnings.push(format!("{}: parent span ID={parent} is not in the trace", span.name));
            continue;
        };
        let delta = skew((span.start, span.end), (*start, *end));
        if !delta.is_zero() {
            warnings.push(format!("{}: timestamps were adjusted by {delta}", span.name));
        }
    }
    warnings
}

/// By how much Jaeger moves a child of another host.
fn skew(child: (Timestamp, Timestamp), parent: (Timestamp, Timestamp)) -> TimeDelta {
    let (child_took, parent_took) = (child.1 - child.0, parent.1 - parent.0);
    if child_took > parent_took {
        return if child.0 < parent.0 { parent.0 - child.0 } else { TimeDelta::zero() };
    }
    if child.0 >= parent.0 && child.1 <= parent.1 {
        return TimeDelta::zero();
    }
    parent.0 + (parent_took - child_took) / 2 - child.0
}

/// Asserts what holds of the spans of any log, whole or not, and of each of its beginnings.
pub(super) fn assert_true(run: RunId, log: &[Recorded]) {
    let mut tracer = Tracer::new(run);
    let mut spans: Vec<Span> = Vec::new();
    for (at, recorded) in log.iter().enumerate() {
        spans.extend(tracer.record(recorded));
        assert_eq!(tracer.record(recorded), [], "an event that is folded in already gives nothing");
        // Another process goes on from the beginning of the log.
        if at % 7 == 3 {
            let mut other = Tracer::new(run);
            let again: Vec<Span> = log[..=at].iter().flat_map(|recorded| other.record(recorded)).collect();
            assert_eq!(again, spans);
            tracer = other;
        }
    }
    assert_eq!(spans, spans_of(run, log), "a prefix and the rest are the whole");
    assert_well_formed(&spans);
    let times: Times = spans.iter().skip(1).map(|span| (span.span_id, (span.start, span.end))).collect();
    let missing = |a: &Times, b: &Times| {
        a.iter()
            .filter(|(id, times)| b.get(*id) != Some(times))
            .map(|(id, times)| format!("{id} {times:?}"))
            .collect::<Vec<_>>()
    };
    let wanted = expected(run, log);
    assert!(
        times == wanted,
        "too many: {:#?}, missing: {:#?}, {log:#?}",
        missing(&times, &wanted),
        missing(&wanted, &times)
    );
}

/// Asserts what holds of the spans of one run, in the order of their ends.
fn assert_well_formed(spans: &[Span]) {
    let Some(start) = spans.first() else { return };
    let ids: BTreeSet<_> = spans.iter().map(|span| span.span_id).collect();
    assert_eq!(ids.len(), spans.len(), "an id has two contents");
    let elsewhere = start.parent.map(|caller| (caller, (start.start, start.end))).into_iter().collect();
    for live in 1..=spans.len() {
        assert_eq!(jaeger(&spans[..live], &elsewhere), [""; 0], "also while the run lives");
    }
    assert_eq!(start.start, start.end);
    for span in spans {
        assert_eq!(span.trace_id, start.trace_id);
        assert!(span.span_id == start.span_id || span.parent == Some(start.span_id), "{span:?}");
        assert!(start.start <= span.start && span.start <= span.end, "{span:?}");
        assert!(span.events.is_sorted_by_key(|event| event.at), "{span:?}");
        assert!(span.events.iter().all(|event| event.at <= span.end), "{span:?}");
        for key in ["runlog.run.id", "runlog.workflow.name", "runlog.workflow.version", "runlog.namespace"] {
            assert!(span.attribute(key).is_some(), "{} has no {key}", span.name);
        }
        let keys: BTreeSet<_> = span.attributes.iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), span.attributes.len(), "an attribute comes twice: {span:?}");
    }
}

/// What began and has not ended, as the engine's own fold of the log has it.
#[derive(Default)]
struct Opened(BTreeMap<(TaskName, OpKey), (SpanId, Timestamp)>);

/// Says which spans there must be, and when: by comparing the states before and after each event.
fn expected(run: RunId, log: &[Recorded]) -> Times {
    let mut expected = BTreeMap::new();
    let Some((first, rest)) = log.split_first() else { return expected };
    let mut before = evolve::born(run, first).expect("a birth");
    let mut opened = Opened::default();
    for recorded in log {
        if let Event::Task(place, TaskEvent::OpReused(reused)) = &recorded.event
            && let ReusedOp::ReplayedChild { run: child, .. } = reused.recorded
        {
            let id = ids::child(run, child);
            opened.0.insert((place.task.clone(), reused.op.clone()), (id, recorded.at));
        }
    }
    for recorded in rest {
        let after = evolve::evolve(before.clone(), recorded).expect("a legal log");
        if matches!(recorded.event, Event::Run(RunEvent::Started(_))) {
            opened.0.retain(|(task, _), _| after.task(task).is_some());
        }
        let ended = opened.ended_by(run, &before, &after, recorded);
        for (id, (start, end)) in ended {
            let start = start.max(first.at);
            assert!(expected.insert(id, (start, end.max(start))).is_none(), "{id} ends twice");
        }
        before = after;
    }
    expected
}

impl Opened {
    fn ended_by(
        &mut self,
        run: RunId,
        before: &RunState,
        after: &RunState,
        recorded: &Recorded,
    ) -> Vec<(SpanId, (Timestamp, Timestamp))> {
        let at = recorded.at;
        let mut ended = Vec::new();
        // A child that a replay waits for may end before the replay starts.
        if let (Event::Task(place, TaskEvent::ChildFinished(event)), Status::Queued) =
            (&recorded.event, before.status)
            && let Some((id, start)) = self.0.remove(&(place.task.clone(), event.op.clone()))
        {
            ended.push((id, (start, at)));
        }
        for task in &after.tasks {
            let old = before.task(&task.name).map(|(_, task)| task);
            for (key, op) in &task.ops {
                let old = old.and_then(|task| task.ops.get(key));
                // What a replay takes over is no span of its own.
                if old == Some(op) || (op.reused && old.is_none()) {
                    continue;
                }
                let place = (task.name.clone(), key.clone());
                let attempt = op.attempt;
                let step = || ids::step(run, &task.name, attempt, key);
                let wait = || ids::wait(run, &task.name, attempt, key);
                let failed_before = old.is_some_and(|old| {
                    old.attempt == attempt && matches!(old.state, OpState::StepFailed { retry_at: None, .. })
                });
                let (opens, closes) = match &op.state {
                    OpState::StepStarted { at, .. } => (Some((step(), *at)), false),
                    OpState::StepCompleted { .. } | OpState::StepFailed { .. } if failed_before => continue,
                    OpState::StepCompleted { times, .. } => (Some((step(), times.started_at)), true),
                    OpState::StepFailed { times, retry_at, .. } => {
                        (Some((step(), times.started_at)), retry_at.is_none())
                    }
                    OpState::Timer { fired, .. } => (Some((wait(), at)), *fired),
                    OpState::Signal { outcome, .. } => (Some((wait(), at)), outcome.is_some()),
                    OpState::Child { run: child, outcome, .. } => {
                        (Some((ids::child(run, *child), at)), outcome.is_some())
                    }
                    OpState::Abandoned => (None, true),
                    OpState::Race { .. } | OpState::Time { .. } => continue,
                };
                let known = self.0.get(&place).copied().or(opens);
                let Some(known) = known else { continue };
                if closes {
                    self.0.remove(&place);
                    ended.push((known.0, (known.1, at)));
                } else {
                    self.0.insert(place, known);
                }
            }
        }
        for task in &after.tasks {
            let old = before.task(&task.name).map(|(_, task)| task);
            for (number, attempt) in (1..).zip(&task.attempts) {
                let was_open = old
                    .and_then(|task| task.attempts.get(number as usize - 1))
                    .is_some_and(|attempt| attempt.end.is_none());
                let over = attempt.end.is_some() || after.status.is_terminal();
                if !(was_open && over) {
                    continue;
                }
                ended.push((ids::attempt(run, &task.name, number), (attempt.started_at, at)));
                let goes_on = task.status == TaskStatus::Queued;
                let state = |key: &OpKey| after.task(&task.name).and_then(|(_, task)| task.ops.get(key));
                self.0.retain(|(name, key), (id, start)| {
                    let op = state(key).map(|op| &op.state);
                    let stays = *name != task.name
                        || matches!(op, Some(OpState::Child { .. }))
                        || (goes_on && !matches!(op, Some(OpState::StepFailed { .. })));
                    if !stays {
                        ended.push((*id, (*start, at)));
                    }
                    stays
                });
            }
        }
        if after.status.is_terminal() {
            ended.extend(std::mem::take(&mut self.0).into_values().map(|(id, start)| (id, (start, at))));
            // From its creation on.
            ended.push((ids::whole(run), (Timestamp::MIN_UTC, at)));
        }
        ended
    }
}
