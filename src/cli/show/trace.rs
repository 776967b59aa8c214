//! A trace as a tree.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::{Screen, Style, cut, plain, span as length};
use crate::cli::documents::{Span, SpanEvent};
use crate::model::Timestamp;
use crate::telemetry::names::traces as names;

/// Columns of a bar.
const BAR: usize = 24;

/// Columns of a name with what leads to it, where there is no terminal.
const NAME: usize = 44;

/// Columns of an error's message.
const MESSAGE: usize = 100;

/// Writes spans as a tree: each with its place in the whole, its beginning after that of the whole, how long it took, and how
/// it ended.
pub(in crate::cli) fn trace(screen: &mut Screen, spans: &[Span]) -> io::Result<()> {
    let (Some(begin), Some(end)) =
        (spans.iter().map(|span| span.started_at).min(), spans.iter().map(|span| span.finished_at).max())
    else {
        return Ok(());
    };
    let known: BTreeSet<&str> = spans.iter().map(|span| span.span_id.as_str()).collect();
    let mut below: BTreeMap<Option<&str>, Vec<&Span>> = BTreeMap::new();
    for span in spans {
        let parent = span.parent_span_id.as_deref().filter(|parent| known.contains(parent));
        below.entry(parent).or_default().push(span);
    }
    for siblings in below.values_mut() {
        // What ends later goes around what ends earlier.
        siblings.sort_by_key(|span| (span.started_at, std::cmp::Reverse(span.finished_at)));
    }
    let traces: BTreeSet<&str> = spans.iter().map(|span| span.trace_id.as_str()).collect();
    for id in traces {
        screen.line(screen.paint(Style::Faint, format!("trace {id}")))?;
    }
    let mut tree = Tree { screen, below, whole: (begin, end) };
    tree.siblings(None, "")
}

struct Tree<'spans> {
    screen: &'spans mut Screen,
    below: BTreeMap<Option<&'spans str>, Vec<&'spans Span>>,
    whole: (Timestamp, Timestamp),
}

impl<'spans> Tree<'spans> {
    fn siblings(&mut self, parent: Option<&'spans str>, lead: &str) -> io::Result<()> {
        // Taken out: damaged spans that stand under each other are written once.
        let siblings = self.below.remove(&parent).unwrap_or_default();
        let count = siblings.len();
        for (at, span) in (1..).zip(siblings) {
            let (branch, next) = match (parent, at == count) {
                (None, _) => ("", ""),
                (_, false) => ("├ ", "│ "),
                (_, true) => ("└ ", "  "),
            };
            self.line(span, &format!("{lead}{branch}"))?;
            let lead = format!("{lead}{next}");
            let has_children = self.below.contains_key(&Some(span.span_id.as_str()));
            self.events(span, &format!("{lead}{}", if has_children { "│ " } else { "  " }))?;
            self.siblings(Some(&span.span_id), &lead)?;
        }
        Ok(())
    }

    fn line(&mut self, span: &Span, lead: &str) -> io::Result<()> {
        let name = cut(&format!("{lead}{}", plain(&span.name)), NAME);
        let (begin, _) = self.whole;
        let (offset, took) = (millis(begin, span.started_at), millis(span.started_at, span.finished_at));
        let (mark, style) = mark(span);
        let mut line = format!(
            "{name:<NAME$} {} {:>10} {:>10}",
            self.bar(span),
            format!("+{}", length(offset)),
            length(took)
        );
        let word = ending(span);
        line.push_str(&format!(
            "  {}",
            style.map_or(mark.to_owned(), |style| self.screen.paint(style, mark))
        ));
        if !word.is_empty() {
            line.push_str(&format!(" {word}"));
        }
        self.screen.line(line.trim_end())
    }

    /// Writes when the span was, out of the whole.
    fn bar(&self, span: &Span) -> String {
        let (begin, end) = self.whole;
        let whole = micros(begin, end).max(1);
        let place = |at: Timestamp| {
            let columns = micros(begin, at).saturating_mul(BAR as u64) / whole;
            usize::try_from(columns).unwrap_or(BAR).min(BAR)
        };
        let from = place(span.started_at).min(BAR - 1);
        let wide = place(span.finished_at).saturating_sub(from);
        let filled =
            if span.started_at == span.finished_at { "·".to_owned() } else { "▇".repeat(wide.max(1)) };
        format!("{}{filled:<rest$}", " ".repeat(from), rest = BAR - from)
    }

    fn events(&mut self, span: &Span, lead: &str) -> io::Result<()> {
        for event in &span.events {
            let text = cut(&told(event), MESSAGE);
            let after = length(millis(self.whole.0, event.at));
            let line = format!("{lead}{} {text}", self.screen.paint(Style::Faint, format!("+{after}")));
            self.screen.line(line)?;
        }
        if span.events_dropped > 0 {
            self.screen.line(format!("{lead}… and {} more", span.events_dropped))?;
        }
        Ok(())
    }
}

/// A mark for how the span ended: never colour alone.
fn mark(span: &Span) -> (&'static str, Option<Style>) {
    match (span.status.as_str(), outcome(span)) {
        ("error", Some("timed_out" | "TIMED_OUT")) => ("⌛", Some(Style::Bad)),
        ("error", _) => ("✕", Some(Style::Bad)),
        (_, Some("cancelled" | "CANCELLED")) => ("⊘", Some(Style::Faint)),
        (_, Some("abandoned" | "timed_out")) => ("–", Some(Style::Faint)),
        (_, Some(_)) => ("✓", Some(Style::Good)),
        (_, None) => ("·", Some(Style::Faint)),
    }
}

fn outcome(span: &Span) -> Option<&str> {
    span.text(names::OUTCOME.key).or_else(|| span.text(names::RUN_STATUS.key))
}

/// What is told of the span's end besides its mark.
fn ending(span: &Span) -> String {
    let number = |key: &str| span.attributes.get(key).and_then(serde_json::Value::as_u64);
    let mut told = Vec::new();
    match outcome(span) {
        None | Some("succeeded" | "SUCCEEDED") => {}
        Some(outcome) => told.push(plain(&outcome.to_lowercase())),
    }
    if let Some(tries) = number(names::STEP_TRIES.key).filter(|tries| *tries > 1) {
        told.push(format!("{tries} tries"));
    }
    if let Some(attempt) = number(names::ATTEMPT_NUMBER.key).filter(|attempt| *attempt > 1) {
        told.push(format!("attempt {attempt}"));
    }
    if let Some(error) = &span.error {
        told.push(cut(&plain(error), MESSAGE));
    }
    told.join(", ")
}

fn told(event: &SpanEvent) -> String {
    let kind = event.text(names::EXCEPTION_TYPE.key);
    let text = match (kind, event.text(names::EXCEPTION_MESSAGE.key)) {
        (Some(kind), Some(message)) => format!("{}: {}", plain(kind), plain(message)),
        _ => plain(event.name.trim_start_matches("runlog.")),
    };
    let retry = event.text(names::RETRY_AT.key).map(|at| format!(", again at {}", plain(at)));
    text + &retry.unwrap_or_default()
}

fn micros(from: Timestamp, to: Timestamp) -> u64 {
    (to - from).num_microseconds().and_then(|micros| u64::try_from(micros).ok()).unwrap_or_default()
}

fn millis(from: Timestamp, to: Timestamp) -> u64 {
    micros(from, to) / 1_000
}
