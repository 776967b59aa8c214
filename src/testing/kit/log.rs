//! A run's log as text, for comparing with literal text.

use std::fmt::Write;

use crate::model::event::Place;
use crate::model::{Event, Recorded, RunEvent, TaskEvent, Timestamp};

/// Writes one line an event: its kind, its task where the run has several, `@n` from the second attempt on, and what
/// it is about.
pub(super) fn text(log: &[Recorded]) -> String {
    let names_tasks = log.iter().any(has_several_tasks);
    log.iter().map(|recorded| line(&recorded.event, names_tasks) + "\n").collect()
}

/// As [`text`], each line after the time since `from` in seconds.
pub(super) fn timeline(log: &[Recorded], from: Timestamp) -> String {
    let names_tasks = log.iter().any(has_several_tasks);
    let mut lines = String::new();
    for recorded in log {
        let seconds = (recorded.at - from).as_seconds_f64();
        let _infallible = writeln!(lines, "{seconds:.3} {}", line(&recorded.event, names_tasks));
    }
    lines
}

fn has_several_tasks(recorded: &Recorded) -> bool {
    matches!(&recorded.event, Event::Run(RunEvent::Started(started)) if started.plan.tasks.len() > 1)
}

fn line(event: &Event, names_tasks: bool) -> String {
    let (place, about) = match event {
        Event::Run(event) => (String::new(), about_run(event)),
        Event::Task(place, event) => (text_of(place, names_tasks), about_task(event)),
    };
    let words = [event.kind().to_owned(), place, about];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn text_of(place: &Place, names_tasks: bool) -> String {
    let task = if names_tasks { place.task.as_str() } else { "" };
    match place.attempt {
        1 => task.to_owned(),
        0 => task.to_owned(),
        attempt => format!("{task}@{attempt}"),
    }
}

fn about_run(event: &RunEvent) -> String {
    match event {
        RunEvent::SignalReceived(event) => event.name.to_string(),
        RunEvent::Failed(event) => event.error.kind.to_string(),
        RunEvent::Created(_)
        | RunEvent::Claimed(_)
        | RunEvent::Started(_)
        | RunEvent::CancelRequested(_)
        | RunEvent::Blocked(_)
        | RunEvent::Succeeded(_)
        | RunEvent::Cancelled(_)
        | RunEvent::TimedOut(_) => String::new(),
    }
}

fn about_task(event: &TaskEvent) -> String {
    match event {
        TaskEvent::AttemptFailed(event) => event.error.kind.to_string(),
        TaskEvent::StepFailed(event) => format!("{} {}", short(&event.op), event.error.kind),
        TaskEvent::RaceWon(event) => format!("{} {}", short(&event.op), event.winner),
        TaskEvent::PatchMarked(event) => format!("{} {}", event.patch, event.applies),
        TaskEvent::ChildFinished(event) => format!("{} {}", short(&event.op), event.outcome.status),
        TaskEvent::ConditionDecided(event) => format!("{} {}", event.term, event.met),
        TaskEvent::TaskSkipped(event) => event.because.to_string(),
        event => event.op().map(short).unwrap_or_default(),
    }
}

fn short(op: &crate::model::OpKey) -> String {
    format!("{}#{}", op.name, op.occurrence)
}
