//! The `runlog` command, run as a person runs it.

mod demo;
mod verbs;
mod explain;
mod trace;
mod keep;
mod schedules;
mod triggers;
mod verify;
mod serve;

use std::process::{Command, Output};

use anyhow::Result;

use crate::testing::postgres::Folder;

/// The command, in an environment with an empty home and no database.
pub(crate) fn runlog(home: &Folder, arguments: &[&str]) -> Result<Output> {
    runlog_with(home, arguments, &[])
}

/// As [`runlog`], with variables in its environment.
pub(crate) fn runlog_with(home: &Folder, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Output> {
    let home = home.path("home");
    std::fs::create_dir_all(&home)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_runlog"));
    command.args(arguments).env("HOME", home).env_remove("XDG_CACHE_HOME").env_remove("DATABASE_URL");
    command.envs(variables.iter().copied());
    Ok(command.output()?)
}
