//! The `runlog` command: what a person types.
//!
//! The only part of the crate that reads `DATABASE_URL` and `NO_COLOR` and writes to the terminal.

mod demo;
mod verify;
mod serve;
mod token;
mod database;
mod print;

use std::error::Error;
use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Durable, inspectable workflows on nothing but Postgres.
#[derive(Parser)]
#[command(name = "runlog", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Shows a workflow fail, tells why, repairs what was broken and starts it again (what a bare `runlog` does)
    Demo(demo::Arguments),
    /// Checks what must hold of every run in a database, and prints what is wrong, run by run
    Verify(verify::Arguments),
    /// Serves the REST interface of a database's runs
    Serve(serve::Arguments),
    /// Makes, lists and revokes the bearer tokens of `runlog serve`
    Token(token::Arguments),
}

/// Runs the command with the process's arguments. It exits with 0 when all went well, 1 when something did not, and 2
/// when the arguments cannot be understood, or when `verify` could not check.
pub fn main() -> ExitCode {
    let verb = Arguments::parse().verb.unwrap_or_else(|| Verb::Demo(demo::Arguments::default()));
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let done = match verb {
        Verb::Demo(arguments) => runtime.block_on(demo::run(arguments)),
        Verb::Verify(arguments) => runtime.block_on(verify::run(arguments)),
        Verb::Serve(arguments) => runtime.block_on(serve::run(arguments)),
        Verb::Token(arguments) => runtime.block_on(token::run(arguments)),
    };
    // A read of the terminal that nobody waits for any more must not keep the process.
    runtime.shutdown_background();
    match done {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => fail(&*error),
    }
}

/// Lines that an error may take.
const ERROR_LINES_MAX: usize = 3;

fn fail(error: &(dyn Error + 'static)) -> ExitCode {
    tell(error);
    ExitCode::FAILURE
}

/// Writes an error with its causes to standard error.
fn tell(error: &(dyn Error + 'static)) {
    let mut text = format!("runlog: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text.lines().take(ERROR_LINES_MAX).for_each(|line| eprintln!("{line}"));
}

/// Says whether whoever read our output went away, as `head` does.
fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
