//! A run, its tasks and its log.

use std::io;

use serde_json::value::RawValue;

use super::{Cell, Screen, Style, Table, between, cut, plain, span, status};
use crate::cli::documents::{Event, Failure, Run, Task, TaskWhole};
use crate::model::Timestamp;

/// Characters of a JSON value on one line.
const JSON_CHARS_MAX: usize = 100;

/// Writes everything about a run that fits a screen.
pub(in crate::cli) fn run(screen: &mut Screen, run: &Run) -> io::Result<()> {
    headline(screen, run)?;
    for (name, value) in facts(screen, run) {
        screen.line(format!("  {name:<10} {value}"))?;
    }
    ending(screen, run)?;
    screen.line("")?;
    task_lines(screen, &run.tasks)?;
    children(screen, run)
}

fn facts(screen: &Screen, run: &Run) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(key) = &run.key {
        facts.push(("key", plain(key)));
    }
    if run.namespace != "default" {
        facts.push(("namespace", plain(&run.namespace)));
    }
    if !run.metadata.is_empty() {
        let pairs = run.metadata.iter().map(|(name, value)| format!("{}={}", plain(name), plain(value)));
        facts.push(("metadata", pairs.collect::<Vec<_>>().join(" ")));
    }
    facts.push(("trigger", trigger(run)));
    if let Some(parent) = &run.parent {
        facts.push(("parent", format!("{} task {}", plain(&parent.run), plain(&parent.task))));
    }
    facts.extend(
        run.replays
            .iter()
            .map(|replay| ("replayed", format!("by {}, {}", plain(&replay.id), status(&replay.status).0))),
    );
    facts.push(("created", screen.time(run.created_at)));
    facts.extend(run.queue_latency_ms.map(|waited| ("queued", span(waited))));
    facts.extend(run.node.map(|node| ("node", node.to_string())));
    facts.push(("input", json(run.input.as_deref(), run.input_bytes)));
    facts.extend(run.output_bytes.map(|bytes| ("output", json(run.output.as_deref(), bytes))));
    facts.extend(run.waiting.iter().map(|waiting| ("waits for", plain(&waiting.text))));
    facts
}

/// Writes the line that says which run it is and how it stands.
pub(in crate::cli) fn headline(screen: &mut Screen, run: &Run) -> io::Result<()> {
    let (word, style) = status(&run.status);
    let word = style.map_or(word.clone(), |style| screen.paint(style, &word));
    let name = screen.paint(Style::Strong, format!("{} {}", plain(&run.workflow), plain(&run.id)));
    let took = run.execution_ms.map(|ms| format!(" after {}", span(ms))).unwrap_or_default();
    let when = run.finished_at.map(|at| format!(", {}", screen.time(at))).unwrap_or_default();
    let archived = if run.archived { ", archived" } else { "" };
    screen.line(format!("{word}  {name}{took}{when}  (version {}{archived})", plain(&run.version)))
}

fn trigger(run: &Run) -> String {
    let trigger = &run.trigger;
    let parts = [
        ("of", &trigger.of),
        ("", &trigger.schedule),
        ("of", &trigger.due),
        ("", &trigger.event),
        ("of", &trigger.key),
        ("by", &trigger.by),
    ];
    let mut text = plain(&trigger.kind);
    for (word, part) in parts.into_iter().filter_map(|(word, part)| Some((word, part.as_ref()?))) {
        text.push_str(&format!(" {word}{}{}", if word.is_empty() { "" } else { " " }, plain(part)));
    }
    text
}

fn ending(screen: &mut Screen, run: &Run) -> io::Result<()> {
    if let Some(which) = &run.timed_out {
        let deadline = run.deadline.map(|at| format!(" at {at}")).unwrap_or_default();
        screen.line(format!("  {:<10} its {} timeout passed{deadline}", "why", plain(which)))?;
    }
    if let Some(cancel) = &run.cancelled {
        let by = cancel.by.as_deref().map(|by| format!(" by {}", plain(by))).unwrap_or_default();
        let reason =
            cancel.reason.as_deref().map(|reason| format!(": {}", plain(reason))).unwrap_or_default();
        screen.line(format!("  {:<10} cancelled{by}{reason}", "why"))?;
    }
    if let Some(error) = &run.error {
        let task =
            run.failed_task.as_deref().map(|task| format!("task {}, ", plain(task))).unwrap_or_default();
        failure(screen, &task, error)?;
    }
    if run.retries > 0 {
        screen.line(format!("  {:<10} {}", "retries", run.retries))?;
    }
    Ok(())
}

/// Writes an error with its causes and its place.
pub(in crate::cli) fn failure(screen: &mut Screen, before: &str, error: &Failure) -> io::Result<()> {
    let headline = screen.paint(Style::Bad, format!("{}: {}", plain(&error.kind), plain(&error.message)));
    screen.line(format!("  {:<10} {before}{headline}", "why"))?;
    for cause in &error.chain {
        screen.line(format!("  {:<10} {}", "caused by", plain(cause)))?;
    }
    match &error.location {
        Some(location) => screen.line(format!("  {:<10} {}", "at", plain(location))),
        None => Ok(()),
    }
}

/// Writes a run's tasks, one line each.
pub(in crate::cli) fn task_lines(screen: &mut Screen, tasks: &[Task]) -> io::Result<()> {
    if tasks.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(vec!["TASK", "STATUS", "ATTEMPTS", "TOOK", "ERROR"], 4);
    for task in tasks {
        let (word, style) = status(&task.status);
        let error = task.error.as_ref().map(|error| format!("{}: {}", error.kind, error.message));
        let error = error.or_else(|| task.skipped.clone());
        table.row(vec![
            plain(&task.name).into(),
            Cell::styled(word, style),
            task.attempts.to_string().into(),
            task.execution_ms.map(span).unwrap_or_default().into(),
            plain(&error.unwrap_or_default()).into(),
        ]);
    }
    table.print(screen)
}

fn children(screen: &mut Screen, run: &Run) -> io::Result<()> {
    if run.children.is_empty() {
        return Ok(());
    }
    screen.line("")?;
    let mut table = Table::new(vec!["CHILD", "WORKFLOW", "STATUS"], 1);
    for child in &run.children {
        let (word, style) = status(&child.status);
        table.row(vec![plain(&child.id).into(), plain(&child.workflow).into(), Cell::styled(word, style)]);
    }
    table.print(screen)
}

/// Writes one event.
pub(in crate::cli) fn event_line(screen: &mut Screen, event: &Event, began: Timestamp) -> io::Result<()> {
    let after =
        screen.paint(Style::Faint, format!("{:>10}", format!("+{}", between(Some(began), Some(event.at)))));
    let attempt = event.attempt.filter(|attempt| *attempt > 1).map(|n| format!(" ({n})")).unwrap_or_default();
    let place = match (&event.task, &event.op) {
        (Some(task), Some(op)) => format!("{}{attempt} {}", plain(task), plain(op)),
        (Some(task), None) => format!("{}{attempt}", plain(task)),
        (None, _) => event.node.map(|node| format!("node {node}")).unwrap_or_default(),
    };
    let data = match event.data.get() {
        "{}" => String::new(),
        data => screen.paint(Style::Faint, cut(&plain(data), JSON_CHARS_MAX)),
    };
    let style = match event.kind.as_str() {
        "run_failed" | "run_timed_out" | "attempt_failed" | "step_failed" | "run_blocked" => Style::Bad,
        "run_succeeded" => Style::Good,
        _ => Style::Strong,
    };
    let kind = screen.paint(style, format!("{:<17}", plain(&event.kind)));
    let line = format!("{:>5} {after}  {kind}  {place:<24}  {data}", event.seq);
    screen.line(line.trim_end())
}

/// A JSON value on one line, or how large it is where it is left out.
pub(in crate::cli) fn json(value: Option<&RawValue>, bytes: usize) -> String {
    match value {
        Some(value) => cut(&plain(value.get()), JSON_CHARS_MAX),
        None => format!("({bytes} bytes, not shown here)"),
    }
}

/// Writes everything about a task.
pub(in crate::cli) fn task(screen: &mut Screen, task: &TaskWhole) -> io::Result<()> {
    let (word, style) = status(&task.status);
    let word = style.map_or(word.clone(), |style| screen.paint(style, &word));
    let took = task.execution_ms.map(|ms| format!(" after {}", span(ms))).unwrap_or_default();
    screen.line(format!("{word}  task {}{took}", screen.paint(Style::Strong, plain(&task.name))))?;
    for input in &task.inputs {
        let gave = json(input.output.as_deref(), input.output_bytes);
        screen.line(format!("  {:<10} {gave}", format!("{} gave", plain(&input.task))))?;
    }
    if let Some(bytes) = task.output_bytes {
        screen.line(format!("  {:<10} {}", "output", json(task.output.as_deref(), bytes)))?;
    }
    if let Some(because) = &task.skipped {
        screen.line(plain(because))?;
    }
    if let Some(error) = &task.error {
        failure(screen, "", error)?;
    }
    screen.line("")?;
    let mut attempts = Table::new(vec!["ATTEMPT", "NODE", "BEGAN", "TOOK", "ERROR"], 4);
    for attempt in &task.attempt_list {
        let error = attempt.error.as_ref().map(|error| format!("{}: {}", error.kind, error.message));
        attempts.row(vec![
            attempt.number.to_string().into(),
            attempt.node.map(|node| node.to_string()).unwrap_or_default().into(),
            screen.time(attempt.started_at).into(),
            between(Some(attempt.started_at), attempt.finished_at).into(),
            plain(&error.unwrap_or_default()).into(),
        ]);
    }
    attempts.print(screen)?;
    if task.steps.is_empty() {
        return Ok(());
    }
    screen.line("")?;
    let mut steps = Table::new(vec!["STEP", "TRIES", "TOOK", "OUTCOME"], 3);
    for step in &task.steps {
        let outcome = match (&step.error, step.output_bytes) {
            (Some(error), _) => {
                Cell::styled(plain(&format!("{}: {}", error.kind, error.message)), Some(Style::Bad))
            }
            (None, Some(bytes)) => json(step.output.as_deref(), bytes).into(),
            (None, None) => Cell::styled("begun", Some(Style::Busy)),
        };
        steps.row(vec![
            plain(&format!("{}#{}", step.name, step.occurrence)).into(),
            step.tries.to_string().into(),
            between(step.started_at, step.finished_at).into(),
            outcome,
        ]);
    }
    steps.print(screen)
}
