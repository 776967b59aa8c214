//! Everything observable of one world, in order: as a digest, and as lines for a person.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use runlog::RunId;
use tokio::time::Instant;

/// Lines that are kept.
const TAIL_LINES: usize = 120;

/// The trace of one world. Cheap to clone.
#[derive(Clone)]
pub struct Trace {
    inner: Arc<Mutex<Inner>>,
    began: Instant,
}

struct Inner {
    digest: u64,
    lines: VecDeque<String>,
    prints: bool,
    runs: BTreeMap<RunId, usize>,
}

impl Trace {
    /// Begins a trace; `prints` says whether every line is printed as it comes.
    pub fn new(prints: bool) -> Trace {
        // The offset basis of FNV-1a.
        let inner =
            Inner { digest: 0xcbf2_9ce4_8422_2325, lines: VecDeque::new(), prints, runs: BTreeMap::new() };
        Trace { inner: Arc::new(Mutex::new(inner)), began: Instant::now() }
    }

    /// Notes one line, at this instant.
    pub fn note(&self, line: fmt::Arguments<'_>) {
        let at = self.began.elapsed();
        let mut inner = self.lock();
        let line = format!("{:>10.3} {line}", at.as_secs_f64());
        for byte in line.bytes() {
            inner.digest = (inner.digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if inner.prints {
            println!("{line}");
        }
        inner.lines.push_back(line);
        if inner.lines.len() > TAIL_LINES {
            inner.lines.pop_front();
        }
    }

    /// Says whether somebody reads it as it comes.
    pub fn prints(&self) -> bool {
        self.lock().prints
    }

    /// Returns a short name of a run: its number in the order of appearance.
    pub fn name(&self, run: RunId) -> String {
        let mut inner = self.lock();
        let next = inner.runs.len() + 1;
        let number = *inner.runs.entry(run).or_insert(next);
        drop(inner);
        if number == next {
            self.note(format_args!("R{number} is {run}"));
        }
        format!("R{number}")
    }

    pub fn digest(&self) -> u64 {
        self.lock().digest
    }

    pub fn lines(&self) -> Vec<String> {
        self.lock().lines.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}
