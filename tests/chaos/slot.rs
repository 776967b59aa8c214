//! A place for a node: one process after another lives in it, behind the same proxy.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::node::Orders;
use crate::proxy::Proxy;

/// How long a node that is asked to leave may take.
const LEAVE_MAX: Duration = Duration::from_secs(20);

pub struct Slot {
    pub number: usize,
    pub proxy: Proxy,
    /// Which versions of `steps` its nodes serve.
    pub versions: &'static str,
    pub database: &'static str,
    pub folder: PathBuf,
    pub seed: u64,
    pub pause_ms: u64,
    life: u32,
    child: Option<Child>,
    is_quiet: bool,
}

impl Slot {
    pub fn new(number: usize, proxy: Proxy, folder: &Path, seed: u64, pause_ms: u64) -> Slot {
        let versions = ["1", "1,2", "2", "1,2"].get(number % 4).copied().unwrap_or("1,2");
        let folder = folder.to_path_buf();
        let (life, child, is_quiet, database) = (0, None, false, crate::ground::DATABASE);
        Slot { number, proxy, versions, database, folder, seed, pause_ms, life, child, is_quiet }
    }

    /// The name of the process that lives here now.
    pub fn name(&self) -> String {
        format!("{}-{}", self.number, self.life)
    }

    /// Where that process writes down what it is told.
    pub fn facts(&self) -> PathBuf {
        self.folder.join(self.name()).with_extension("facts")
    }

    /// Starts the next process, by way of another program if `through` names one.
    pub async fn start_through(&mut self, through: Option<&mut Command>) -> anyhow::Result<()> {
        self.life += 1;
        let orders = Orders {
            url: self.proxy.url(self.database),
            name: self.name(),
            facts: self.facts(),
            versions: self.versions.to_owned(),
            seed: self.seed ^ (u64::from(self.life) << 32),
            pause_ms: self.pause_ms,
        };
        let this = std::env::current_exe()?;
        let mut own = Command::new(&this);
        let command = match through {
            Some(through) => through.arg(&this),
            None => &mut own,
        };
        let log = self.folder.join(format!("{}.log", self.number));
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        command.args(orders.arguments()).stdin(Stdio::piped()).stderr(log).kill_on_drop(true);
        self.child = Some(command.spawn().context("start a node")?);
        if self.is_quiet {
            self.order("quiet").await?;
        }
        Ok(())
    }

    pub async fn start(&mut self) -> anyhow::Result<()> {
        self.start_through(None).await
    }

    /// Says something to the process.
    pub async fn order(&mut self, line: &str) -> anyhow::Result<()> {
        self.is_quiet |= line == "quiet";
        let input =
            self.child.as_mut().and_then(|child| child.stdin.as_mut()).context("no node lives here")?;
        input.write_all(format!("{line}\n").as_bytes()).await.context("tell a node")
    }

    /// Sends the process a signal.
    pub async fn signal(&mut self, signal: &str) -> anyhow::Result<()> {
        self.check_alive()?;
        let pid = self.child.as_ref().and_then(Child::id).context("no node lives here")?.to_string();
        let sent = Command::new("/bin/sh").args(["-c", r#"kill -s "$1" "$2""#, "sh", signal, &pid]).status();
        ensure!(sent.await?.success(), "{signal} could not be sent to node {}", self.name());
        Ok(())
    }

    /// The system's letter for the state of the process: T when it is stopped.
    pub fn state(&self) -> anyhow::Result<char> {
        let pid = self.child.as_ref().and_then(Child::id).context("no node lives here")?.to_string();
        let output = std::process::Command::new("ps").args(["-o", "stat=", "-p", &pid]).output()?;
        String::from_utf8_lossy(&output.stdout).trim().chars().next().context("the node is gone")
    }

    /// Kills the process with SIGKILL, and starts the next one.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.kill_only().await?;
        self.start().await
    }

    pub async fn kill_only(&mut self) -> anyhow::Result<()> {
        self.check_alive()?;
        let mut child = self.child.take().context("no node lives here")?;
        child.start_kill()?;
        let status = child.wait().await?;
        ensure!(status.signal() == Some(9), "node {} ended with {status}, not by SIGKILL", self.name());
        Ok(())
    }

    /// Asks the process to leave, and waits until it has.
    pub async fn leave(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal("TERM").await?;
        let mut child = self.child.take().context("no node lives here")?;
        let status = tokio::time::timeout(LEAVE_MAX, child.wait()).await;
        let status = status.with_context(|| format!("node {} did not leave", self.name()))??;
        ensure!(status.success(), "node {} left with {status}", self.name());
        Ok(status)
    }

    /// Finds a process that ended when nobody asked it to.
    pub fn check_alive(&mut self) -> anyhow::Result<()> {
        let name = self.name();
        if let Some(status) = self.child.as_mut().map(Child::try_wait).transpose()?.flatten() {
            bail!("node {name} ended by itself with {status}");
        }
        Ok(())
    }
}
