//! Why a run is where it is.

use std::io;

use super::line::fact_line;
use super::run::{failure, json};
use super::{Screen, Style, between, counted, cut, plain, status};
use crate::cli::documents::{Changes, Similar, Why};

/// Changes against the last good run that are shown.
const CHANGES_SHOWN_MAX: usize = 5;

/// Characters of one value of a change.
const VALUE_CHARS_MAX: usize = 40;

/// Writes the answer first, then what it rests on.
pub(in crate::cli) fn why(screen: &mut Screen, why: &Why) -> io::Result<()> {
    let (word, style) = status(&why.status);
    let word = style.map_or(word.clone(), |style| screen.paint(style, &word));
    let took = between(why.started_at, why.finished_at);
    let took = if took.is_empty() { took } else { format!(" after {took}") };
    let name = screen.paint(Style::Strong, format!("{} {}", plain(&why.workflow), plain(&why.run)));
    screen.line(format!("{word}  {name}{took}  (version {})", plain(&why.version)))?;
    screen.line(format!("\n  {}\n", screen.paint(Style::Strong, plain(&why.headline))))?;
    if let Some(site) = &why.site {
        let most = site.attempts_max.map(|most| format!(" of {most}")).unwrap_or_default();
        let step = site.step.as_ref().map(|step| format!(", step {}", plain(&step.name))).unwrap_or_default();
        screen.line(format!(
            "  {:<10} task {}{step}, attempt {}{most}",
            "where",
            plain(&site.task),
            site.attempt
        ))?;
        if site.run != why.run {
            screen.line(format!("  {:<10} {}", "in run", plain(&site.run)))?;
        }
        if let Some(error) = &site.error {
            failure(screen, "", error)?;
        }
        screen.line(format!("  {:<10} {}", "input", json(site.input.as_deref(), site.input_bytes)))?;
        for input in &site.inputs {
            let gave = json(input.output.as_deref(), input.output_bytes);
            screen.line(format!("  {:<10} {gave}", format!("{} gave", plain(&input.task))))?;
        }
    }
    for wait in &why.waits {
        let since = wait.since.map(|since| format!(", since {}", screen.time(since))).unwrap_or_default();
        screen.line(format!("  {:<10} {}{since}", "waits for", plain(&wait.waiting.text)))?;
    }
    for (at, line) in why.lines.iter().enumerate() {
        fact_line(screen, if at == 0 { "said" } else { "" }, line)?;
    }
    if let Some(similar) = &why.similar {
        screen.line(format!("  {:<10} {}", "similar", alike(similar)))?;
    }
    if let Some(good) = &why.last_good {
        screen.line(format!("  {:<10} {}", "last good", plain(&good.run)))?;
        for field in good.changes.fields.iter().chain(&good.changes.metadata) {
            let side = |side: &Option<String>| plain(side.as_deref().unwrap_or("–"));
            screen.line(format!(
                "  {:<10} {} {} → {}",
                "changed",
                plain(&field.name),
                side(&field.a),
                side(&field.b)
            ))?;
        }
        changes(screen, "changed", &good.changes.input)?;
    }
    Ok(())
}

/// Says how many other runs failed so, and what lists them.
fn alike(similar: &Similar) -> String {
    let Some(newest) = similar.newest.first() else { return "no other run failed so".to_owned() };
    let more = if similar.capped { "at least " } else { "" };
    let (all, day, newest) = (similar.all, similar.day, plain(newest));
    format!(
        "{more}{} failed so, {day} of them in 24 hours, the newest {newest}: runlog ls {}",
        counted(all, "other run"),
        plain(&similar.q)
    )
}

/// Writes what differs between two JSON values.
pub(in crate::cli) fn changes(screen: &mut Screen, name: &str, changes: &Changes) -> io::Result<()> {
    let side = |side: &Option<String>| cut(&plain(side.as_deref().unwrap_or("–")), VALUE_CHARS_MAX);
    for change in changes.listed.iter().take(CHANGES_SHOWN_MAX) {
        let (before, after) = (side(&change.before), side(&change.after));
        screen.line(format!("  {name:<10} {} {before} → {after}", plain(&change.path)))?;
    }
    let more = changes.total.saturating_sub(changes.listed.len().min(CHANGES_SHOWN_MAX));
    if more > 0 {
        screen.line(format!("  {name:<10} {more} more"))?;
    }
    if changes.redacted {
        screen.line(format!("  {name:<10} not compared: values that are hidden as ‹redacted›"))?;
    }
    Ok(())
}

/// Says which commands would do something about it.
pub(in crate::cli) fn actions(screen: &mut Screen, why: &Why) -> io::Result<()> {
    for action in &why.actions {
        let run = action.run.as_deref().unwrap_or(&why.run);
        let text = |text: &Option<String>| plain(text.as_deref().unwrap_or_default());
        let command = match action.kind.as_str() {
            "replay" => {
                let force = if action.force == Some(true) { " --force" } else { "" };
                let (reused, rerun) = (action.reused.unwrap_or_default(), action.rerun.unwrap_or_default());
                format!("runlog replay {}{force}    reuses {reused} tasks, runs {rerun}", plain(run))
            }
            "signal" if action.signal_key.is_some() => {
                let (key, signal) = (text(&action.signal_key), text(&action.signal));
                format!("runlog signal {signal} --key {key} --data JSON")
            }
            "signal" => format!("runlog signal {} {} --data JSON", plain(run), text(&action.signal)),
            "cancel" => format!("runlog cancel {}", plain(run)),
            "verify" => format!("runlog verify --run {}", plain(run)),
            "serve" => format!("serve {} version {}", text(&action.workflow), text(&action.version)),
            "add_slots" => format!("give {} more slots, or start more nodes", text(&action.workflow)),
            "resume" => format!("runlog workflows resume {}", text(&action.workflow)),
            "deploy" => format!("deploy code of {} that fits its log", text(&action.workflow)),
            "check_effect" => {
                format!("find out whether step {} had its effect, then replay", text(&action.step))
            }
            _ => continue,
        };
        screen.line(format!("{:<6}{command}", "next:"))?;
    }
    Ok(())
}

/// Writes lines of text as they are, but for what a terminal would obey.
pub(in crate::cli) fn text(screen: &mut Screen, bytes: &[u8]) -> io::Result<()> {
    String::from_utf8_lossy(bytes).lines().try_for_each(|line| screen.line(plain(line)))
}
