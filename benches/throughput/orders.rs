//! What a child process of the bench is to do: a node of its own, to be measured or killed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use super::server::Bench;
use super::{kill, rest};

/// Where a child finds its orders.
const NAMES: [&str; 4] =
    ["RUNLOG_BENCH_URL", "RUNLOG_BENCH_LIFE", "RUNLOG_BENCH_ORACLE", "RUNLOG_BENCH_RUNS"];

/// What a child is to do.
pub struct Orders {
    /// The database.
    pub url: String,
    pub life: Life,
    /// The file that notes each step that runs.
    pub oracle: PathBuf,
    /// Runs to start, or to make room for.
    pub runs: usize,
}

/// Which life a child leads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Starts the runs and is killed.
    First,
    /// Finishes them.
    Second,
    /// Holds runs that rest.
    Rest,
}

impl Life {
    const ALL: [Life; 3] = [Life::First, Life::Second, Life::Rest];

    /// The name of its node, too.
    pub fn name(self) -> &'static str {
        match self {
            Life::First => "first",
            Life::Second => "second",
            Life::Rest => "rest",
        }
    }
}

impl Orders {
    /// Reads them from the environment; `None` in a process that is no child.
    pub fn read() -> Option<Orders> {
        let [url, life, oracle, runs] = NAMES.map(|name| std::env::var(name).ok());
        let life = life?;
        let life = Life::ALL.into_iter().find(|known| known.name() == life)?;
        Some(Orders { url: url?, life, oracle: oracle?.into(), runs: runs?.parse().ok()? })
    }

    pub async fn follow(self) -> anyhow::Result<()> {
        match self.life {
            Life::First | Life::Second => kill::serve(self).await,
            Life::Rest => rest::serve(self).await,
        }
    }
}

/// Starts this program again, as a child.
pub fn spawn(bench: &Bench, life: Life, oracle: &Path, runs: usize) -> anyhow::Result<Child> {
    let [at_url, at_life, at_oracle, at_runs] = NAMES;
    let mut command = Command::new(std::env::current_exe()?);
    command.env(at_url, bench.url()).env(at_life, life.name());
    Ok(command.env(at_oracle, oracle).env(at_runs, runs.to_string()).spawn()?)
}
