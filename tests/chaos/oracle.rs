//! What is known outside the product: what clients asked for and were told, and which bodies of code really ran.
//!
//! Every process writes a file of its own, one line a fact and one `write` a line: what it wrote survives its
//! `kill -9`. Times are the database's clock as the process reckons it by its monotonic clock, never ahead.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use runlog::RunId;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// One fact.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// A process began; its wall clock is off by so much.
    Life { node: String, pid: u32, skew_s: i64 },
    /// A client is about to start a run.
    StartAsked { ask: u64, workflow: String, key: Option<String>, seed: u64 },
    /// It was told which.
    StartTold { ask: u64, run: RunId, created: bool },
    /// A client is about to send a signal with this number.
    SignalAsked { run: RunId, number: u64 },
    /// It was told that the signal is durable.
    SignalTold { run: RunId, number: u64 },
    /// A client is about to cancel a run.
    CancelAsked { run: RunId },
    /// It was told that the run is being cancelled.
    CancelTold { run: RunId },
    /// A client was told how a run ended.
    EndTold { run: RunId, output: Option<u64>, error: Option<String> },
    /// A body of code began: the idempotency key that it was given.
    Body { key: String, attempt: u32 },
    /// The body was ordered to panic, or to block its thread.
    Mishap { key: String, what: String },
}

/// A fact with its process' time, in microseconds since 1970 on the database's clock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    pub at: i64,
    #[serde(flatten)]
    pub fact: Fact,
}

/// The file of one process.
pub struct Oracle {
    file: File,
    origin: Instant,
    origin_us: i64,
}

impl Oracle {
    /// Begins the file. `now_us` is the database's time at some moment before this one.
    pub fn create(path: &Path, now_us: i64) -> anyhow::Result<Oracle> {
        let origin = Instant::now();
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.with_context(|| format!("{}", path.display()))?;
        Ok(Oracle { file, origin, origin_us: now_us })
    }

    /// Writes a fact down; on return it survives this process.
    pub fn note(&self, fact: Fact) {
        let line = Line { at: self.now_us(), fact };
        let written = serde_json::to_string(&line).map_err(std::io::Error::from).and_then(|mut text| {
            text.push('\n');
            (&self.file).write_all(text.as_bytes())
        });
        // A witness that cannot write must not let anything happen unseen.
        if let Err(error) = written {
            eprintln!("the oracle cannot write: {error}");
            std::process::abort();
        }
    }

    /// The database's time in seconds, or a little less.
    pub fn now_s(&self) -> f64 {
        self.now_us() as f64 / 1e6
    }

    fn now_us(&self) -> i64 {
        self.origin_us + i64::try_from(self.origin.elapsed().as_micros()).unwrap_or(i64::MAX / 2)
    }
}

/// The facts of one process.
pub struct Testimony {
    pub node: String,
    pub lines: Vec<Line>,
}

/// Reads what all processes wrote. The last line of a killed process may be cut short.
pub fn read(folder: &Path) -> anyhow::Result<Vec<Testimony>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "facts") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
        let lines = complete.lines().map(serde_json::from_str).collect::<Result<Vec<Line>, _>>();
        let lines = lines.with_context(|| format!("{}", path.display()))?;
        let node = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        all.push(Testimony { node, lines });
    }
    Ok(all)
}
