//! The answer in one line: the command line, REST and the dashboard say the same.

use std::fmt::Write;

use super::super::span::{instant, span};
use super::{Cause, Fault, NoMore, Site, Wait, Why};
use crate::model::event::Timeout;
use crate::model::waiting::{at_limit, until_quiet};
use crate::model::{Failure, Waiting};

/// Characters of a headline: some lines of a terminal.
const CHARS_MAX: usize = 400;

impl Why {
    /// Says in one line why the run is where it is: `order-sync ▸ checkout ▸ charge: failed at attempt 3 of 3: Declined:
    /// insufficient funds`.
    pub fn headline(&self) -> String {
        let text = match &self.cause {
            Cause::Succeeded => "succeeded".to_owned(),
            Cause::Working => self.working(),
            Cause::Waiting => format!("waits for {}", waits(&self.waits)),
            Cause::Blocked { report } => {
                // What follows is a table of two columns.
                let first = report.lines().next().unwrap_or_default();
                format!("blocked: its code does not fit its log: {first}")
            }
            Cause::Quarantined { reason } => format!("quarantined: its log cannot be folded: {reason}"),
            Cause::Failed { fault, no_more, error } => self.failed(*fault, *no_more, error),
            Cause::TimedOut { timeout, deadline, limit } => {
                let (what, what_it_did) = match timeout {
                    Timeout::Start => ("start_timeout", "had not started"),
                    Timeout::Run => ("timeout", "had not ended"),
                };
                let limit = limit.map(|limit| format!(" of {}", span(limit))).unwrap_or_default();
                let at = instant(*deadline);
                format!(
                    "timed out: it {what_it_did} when its {what}{limit} passed at {at}{}",
                    self.meanwhile()
                )
            }
            Cause::Cancelled { by, reason, abort_at, .. } => {
                let mut text = if abort_at.is_some() { "is being cancelled" } else { "cancelled" }.to_owned();
                text += &by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
                text += &reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                text
            }
            Cause::ParentEnded { run, because } => match because {
                Some(because) => format!("cancelled, because of its parent run {run}: {because}"),
                None => format!("cancelled by its parent run {run}"),
            },
        };
        cut(&format!("{}: {text}", self.place()))
    }

    /// Names the way to the cause: workflows, then the task where it has another name.
    pub fn place(&self) -> String {
        // Upwards, the way says nothing of where in this run the cause lies.
        let hops = match self.cause {
            Cause::ParentEnded { .. } => self.path.get(..1).unwrap_or_default(),
            _ => &self.path,
        };
        let mut place = hops.iter().map(|hop| hop.workflow.to_string()).collect::<Vec<_>>().join(" ▸ ");
        let task = self.site.as_ref().map(|site| &site.task).or_else(|| hops.last()?.task.as_ref());
        if let Some(task) = task.filter(|task| hops.last().is_none_or(|hop| hop.workflow != *task.as_str())) {
            let _written = write!(place, " ▸ {task}");
        }
        place
    }

    fn working(&self) -> String {
        let Some(site) = &self.site else { return "its code is at work".to_owned() };
        let since = site.started_at.map(|at| format!(" since {}", instant(at))).unwrap_or_default();
        format!("its code is at work, attempt {}{since}", site.attempt)
    }

    /// Says what the run was at when its time was up.
    fn meanwhile(&self) -> String {
        match (&self.waits[..], &self.site) {
            ([], None) => String::new(),
            ([], Some(site)) => {
                format!("; its code was at work, attempt {}{}", site.attempt, of(site.attempts_max))
            }
            (waits_for, _) => format!("; it waited for {}", waits(waits_for)),
        }
    }

    fn failed(&self, fault: Fault, no_more: NoMore, error: &Failure) -> String {
        let what = match fault {
            Fault::Panic => "panicked",
            Fault::TaskTimedOut => "ran out of time",
            Fault::Interrupted => "was interrupted",
            Fault::Poison => "was isolated",
            Fault::Error | Fault::Payload | Fault::LogFull | Fault::Child => "failed",
        };
        let tries = self.site.as_ref().map(tries).unwrap_or_default();
        let mut text = format!("{what}{tries}");
        if no_more == NoMore::NotRetryable && fault != Fault::Interrupted {
            text.push_str(" (not retryable)");
        }
        text.push_str(": ");
        text.push_str(&message(fault, error));
        text
    }
}

/// Says which try it was, where there can be several.
fn tries(site: &Site) -> String {
    let mut text = String::new();
    if site.attempt > 1 || site.attempts_max.is_some_and(|max| max > 1) {
        let _written = write!(text, " at attempt {}{}", site.attempt, of(site.attempts_max));
    }
    if let Some(step) = &site.step {
        let _written = write!(text, " in step {}", step.op);
        if step.tries > 1 || step.tries_max.is_some_and(|max| max > 1) {
            let _written = write!(text, " at try {}{}", step.tries, of(step.tries_max));
        }
    }
    text
}

fn of(max: Option<u32>) -> String {
    max.map(|max| format!(" of {max}")).unwrap_or_default()
}

/// An error of the code with its kind; one of ours says it by itself.
fn message(fault: Fault, error: &Failure) -> String {
    let message = error.message.split_whitespace().collect::<Vec<_>>().join(" ");
    match fault {
        Fault::Error | Fault::Child => format!("{}: {message}", error.kind),
        _ => message,
    }
}

fn waits(waits: &[Wait]) -> String {
    let text = |wait: &Wait| {
        let since = wait.since.map(|at| format!(" since {}", instant(at))).unwrap_or_default();
        format!("{}{since}", wait_text(&wait.waiting))
    };
    waits.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn wait_text(waiting: &Waiting) -> String {
    match waiting {
        Waiting::Start { at } => format!("its start at {}", instant(*at)),
        Waiting::Paused { by, reason, .. } => paused(by.as_deref(), reason.as_deref()),
        Waiting::Timer { op, until } => format!("timer {op} until {}", instant(*until)),
        Waiting::Signal { name, key, deadline: Some(at) } => {
            let key = key.as_ref().map(|key| format!(" of key `{key}`")).unwrap_or_default();
            format!("signal `{name}`{key} until {}", instant(*at))
        }
        Waiting::Retry { task, at } => format!("the retry of `{task}` at {}", instant(*at)),
        Waiting::Condition { task, condition, until, .. } => {
            let until = until.map(|at| format!(", next look at {}", instant(at))).unwrap_or_default();
            format!("{condition}, to begin `{task}`{until}")
        }
        Waiting::Cancellation { abort_at } => {
            format!("its code to end, at the latest {}", instant(*abort_at))
        }
        Waiting::Limit { name, key, running, slots, until } => {
            at_limit(name, key, *running, *slots, until.map(instant))
        }
        Waiting::Quiet { name, key, until } => until_quiet(name, key, &instant(*until)),
        Waiting::Node
        | Waiting::Serving { .. }
        | Waiting::Slot { .. }
        | Waiting::Signal { deadline: None, .. }
        | Waiting::Child { .. }
        | Waiting::Blocked { .. } => waiting.to_string(),
    }
}

/// The instant stands behind it, as of every wait.
fn paused(by: Option<&str>, reason: Option<&str>) -> String {
    let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("its workflow to be resumed, paused{by}{reason}")
}

fn cut(text: &str) -> String {
    // Control characters of an error must not reach a terminal.
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut chars = text.chars().map(clean);
    let kept: String = chars.by_ref().take(CHARS_MAX).collect();
    if chars.next().is_some() { format!("{kept}…") } else { kept }
}
