//! A run as JSON lines: out of one database, into another one, or before the eyes of a person.

use serde::{Deserialize, Serialize};

use super::InspectError;
use crate::model::evolve::fold;
use crate::model::limits::EVENTS_MAX;
use crate::model::{IllegalEvent, Namespace, Recorded, RunId, RunState, Status, Version, WorkflowName};
use crate::store::{RawEvent, Store};

/// The format that is written, and the newest that is read.
const FORMAT: u32 = 1;

/// Events read at once.
const PAGE_EVENTS: u32 = 10_000;

/// How a header's line begins: an event's begins with its seq.
const HEADER_BEGINS: &str = "{\"runlog_export\"";

/// The first line of an export.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    runlog_export: u32,
    run: RunId,
    namespace: Namespace,
    workflow: WorkflowName,
    version: Version,
    status: Status,
    events: u32,
    /// Whether values in it are hidden: they are not in the export.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    redacted: bool,
}

/// An exported run, read.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The fold of its log.
    pub state: RunState,
    /// Its log.
    pub log: Vec<Recorded>,
    /// The same, as it was written down.
    pub lines: Vec<RawEvent>,
    /// Whether values in it are hidden: the run can be looked at, and not be replayed as it is.
    pub redacted: bool,
}

/// Why an exported run cannot be read or imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The first line is no header.
    #[error("the first line is no header of an exported run: {problem}")]
    NoHeader {
        /// What is wrong with it.
        problem: String,
    },
    /// A newer release wrote it.
    #[error("the export has format {found}, this release reads up to {known}: upgrade it")]
    NewerFormat {
        /// Its format.
        found: u32,
        /// The newest one here.
        known: u32,
    },
    /// A line is no event, or not one that anybody here knows.
    #[error("line {line}: {problem}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The header and the events do not belong together.
    #[error("the header says {header}, the events {events}: the export was cut or changed")]
    Mismatch {
        /// What the header says.
        header: String,
        /// What the events say.
        events: String,
    },
    /// Its events cannot follow one another.
    #[error("the log cannot be folded: {0}")]
    Illegal(#[from] IllegalEvent),
    /// It has not ended: nobody could say who executes it.
    #[error("run {run} is {status}: only a run that has ended is imported, export it again after its end")]
    Live {
        /// The run.
        run: RunId,
        /// Where it stands.
        status: Status,
    },
    /// There is a run of its id.
    #[error("run {run} is in this database already")]
    Exists {
        /// The run.
        run: RunId,
    },
}

/// Writes a run down; `None` when there is no such run. Line by line: the header, then the events.
///
/// # Errors
/// [`InspectError`].
pub async fn export(store: &dyn Store, run: RunId) -> Result<Option<String>, InspectError> {
    let mut lines: Vec<RawEvent> = Vec::new();
    loop {
        let after = lines.last().map_or(0, |line| line.seq);
        let page = store.raw_log(run, after, PAGE_EVENTS).await?;
        let complete = page.len() < PAGE_EVENTS as usize;
        lines.extend(page);
        if complete {
            break;
        }
    }
    let unreadable = |line: &RawEvent, error: &dyn std::error::Error| InspectError::Unreadable {
        run,
        seq: line.seq,
        problem: error.to_string(),
    };
    let decode = |line: &RawEvent| line.decode().map_err(|error| unreadable(line, &error));
    let log = lines.iter().map(decode).collect::<Result<Vec<Recorded>, InspectError>>()?;
    let Some(state) = fold(run, &log)? else { return Ok(None) };
    let header = Header {
        runlog_export: FORMAT,
        run,
        namespace: state.origin.namespace,
        workflow: state.origin.workflow,
        version: state.origin.version,
        status: state.status,
        events: state.seq,
        redacted: log.iter().any(|recorded| recorded.event.is_redacted()),
    };
    let mut text = String::new();
    let bug = |error: serde_json::Error| InspectError::Unreadable { run, seq: 0, problem: error.to_string() };
    text.push_str(&serde_json::to_string(&header).map_err(bug)?);
    text.push('\n');
    for line in &lines {
        text.push_str(&serde_json::to_string(line).map_err(bug)?);
        text.push('\n');
    }
    Ok(Some(text))
}

/// Divides exported runs that stand one after another, as `runlog export` writes several: each begins with its header. At
/// least one, which may be none.
pub fn split_exports(text: &str) -> Vec<&str> {
    let mut begins = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if at == 0 || line.starts_with(HEADER_BEGINS) {
            begins.push(at);
        }
        at += line.len();
    }
    let ends = begins.iter().skip(1).copied().chain([text.len()]);
    let parts: Vec<&str> = begins.iter().zip(ends).filter_map(|(from, to)| text.get(*from..to)).collect();
    if parts.is_empty() { vec![text] } else { parts }
}

impl Exported {
    /// Refuses a run that has not ended.
    pub(crate) fn require_ended(&self) -> Result<(), ImportError> {
        let (run, status) = (self.state.id, self.state.status);
        if status.is_terminal() { Ok(()) } else { Err(ImportError::Live { run, status }) }
    }
}

/// Reads an exported run, and folds it.
///
/// # Errors
/// [`ImportError`]; a live run is none here.
pub fn read_export(text: &str) -> Result<Exported, ImportError> {
    let mut numbered = (1_usize..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let (_, first) = numbered
        .next()
        .ok_or_else(|| ImportError::NoHeader { problem: "there is no line at all".to_owned() })?;
    let header = header(first)?;
    let mut lines = Vec::new();
    let mut log = Vec::new();
    for (number, text) in numbered {
        let refuse = |problem: String| ImportError::Line { line: number, problem };
        if log.len() >= EVENTS_MAX as usize {
            return Err(refuse(format!("a run has at most {EVENTS_MAX} events")));
        }
        let line: RawEvent = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
        log.push(line.decode().map_err(|error| refuse(error.to_string()))?);
        lines.push(line);
    }
    let counted = |events: usize| format!("{events} events");
    if header.events as usize != log.len() {
        let (header, events) = (counted(header.events as usize), counted(log.len()));
        return Err(ImportError::Mismatch { header, events });
    }
    let state = fold(header.run, &log)?
        .ok_or_else(|| ImportError::NoHeader { problem: "no event follows it".to_owned() })?;
    let Header { namespace, workflow, version, status, redacted, .. } = header;
    let redacted = redacted || log.iter().any(|recorded| recorded.event.is_redacted());
    let origin = &state.origin;
    let (says, is) = (
        format!("{status} {workflow} {version} of {namespace}"),
        format!("{} {} {} of {}", state.status, origin.workflow, origin.version, origin.namespace),
    );
    if says != is {
        return Err(ImportError::Mismatch { header: says, events: is });
    }
    Ok(Exported { state, log, lines, redacted })
}

fn header(line: &str) -> Result<Header, ImportError> {
    /// What every format's header has.
    #[derive(Deserialize)]
    struct Any {
        runlog_export: u32,
    }
    let refuse = |error: serde_json::Error| ImportError::NoHeader { problem: error.to_string() };
    let Any { runlog_export: found } = serde_json::from_str(line).map_err(refuse)?;
    if found > FORMAT {
        return Err(ImportError::NewerFormat { found, known: FORMAT });
    }
    serde_json::from_str(line).map_err(refuse)
}
