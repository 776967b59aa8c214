//! The `runlog` command: what a person types.
//!
//! A service can offer it as a part of its own binary, with its workflows at hand:
//!
//! ```no_run
//! # fn checkout() -> runlog::Workflow<u32, String> {
//! #     runlog::Workflow::function("checkout", |_, order: u32| async move { anyhow::Ok(order.to_string()) })
//! # }
//! fn main() -> std::process::ExitCode {
//!     // `my-service runlog why @last-failed`
//!     let mut arguments = std::env::args_os().peekable();
//!     let program = arguments.next();
//!     if arguments.next_if(|first| first == "runlog").is_some() {
//!         return runlog::cli::Cli::new().workflow(checkout()).main(program.into_iter().chain(arguments));
//!     }
//!     // … the service itself …
//! #   std::process::ExitCode::SUCCESS
//! }
//! ```
//!
//! The only part of the crate that reads the environment (`RUNLOG_URL`, `RUNLOG_TOKEN`, `RUNLOG_TOKEN_FILE`,
//! `DATABASE_URL`, `NO_COLOR` and its kin) and writes to the terminal.

mod options;
mod exit;
mod client;
mod documents;
mod given;
mod edit;
mod ids;
mod verbs;
mod show;
mod check;
mod migrate;
mod doctor;
mod completions;
mod serve;
mod token;
mod demo;
mod verify;
mod database;

use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::client::{Client, Failure, Local};
use self::exit::{EXIT_CODES, Exit};
use self::options::Options;
use self::show::Screen;
use self::verbs::{Desk, Done};
use crate::clock;
use crate::runtime::{Check, RuntimeBuilder};
use crate::workflow::Workflow;

/// Durable, inspectable workflows on nothing but Postgres.
#[derive(Parser)]
#[command(name = "runlog", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Lists runs, newest first
    Ls(verbs::ls::Arguments),
    /// Groups failed runs by what went wrong
    Failures(verbs::failures::Arguments),
    /// Says why a run failed, or what it waits for
    Why(verbs::why::Arguments),
    /// Shows everything about a run
    Get(verbs::get::Arguments),
    /// Shows a run's log
    Events(verbs::events::Arguments),
    /// Shows the lines that a run's code wrote
    Logs(verbs::logs::Arguments),
    /// Draws a run's tasks and what each waits for
    Graph(verbs::graph::Arguments),
    /// Shows a run's trace, or sends it to an OpenTelemetry backend
    Trace(verbs::trace::Arguments),
    /// Shows a run as it was after some event
    State(verbs::state::Arguments),
    /// Shows what differs between two runs
    Diff(verbs::diff::Arguments),
    /// Shows what happens in a run until it ends; the exit code says how
    Watch(verbs::watch::Arguments),
    /// Starts a run
    Start(verbs::start::Arguments),
    /// Sends a signal to a run, to all live ones that a filter finds, or to all that wait for a key
    Signal(verbs::signal::Arguments),
    /// Ends runs: queued ones never start, running ones are told and then aborted
    Cancel(verbs::cancel::Arguments),
    /// Starts runs anew that ended, taking over what succeeded
    Replay(verbs::replay::Arguments),
    /// Shows how far an action on many runs is
    Bulk(verbs::bulk::Arguments),
    /// Writes runs as JSON lines, to take them along
    Export(verbs::export::Arguments),
    /// Puts an exported run into a database's archive
    Import(verbs::import::Arguments),
    /// Plays recorded histories against the code at hand, and shows where they part
    Check(check::Arguments),
    /// Says how long runs are kept, and sets it
    Retention(verbs::retention::Arguments),
    /// Lists, makes, pauses and triggers what starts runs by the clock
    #[command(visible_alias = "cron")]
    Schedules(verbs::schedules::Arguments),
    /// Lists, pushes and subscribes to what starts runs from outside
    Triggers(verbs::triggers::Arguments),
    /// Lists the workflows that are or were served; pauses and resumes them
    Workflows(verbs::workflows::Arguments),
    /// Lists the limits of concurrency, or how the keys of one stand
    Limits(verbs::limits::Arguments),
    /// Lists the processes that execute runs
    Nodes(verbs::nodes::Arguments),
    /// Says who did what
    Audit(verbs::audit::Arguments),
    /// Brings a database's schema to this release, or says whether it is there
    Migrate(migrate::Arguments),
    /// Checks what must hold of every run in a database, and prints what is wrong, run by run
    Verify(verify::Arguments),
    /// Serves the REST interface of a database's runs
    Serve(serve::Arguments),
    /// Makes, lists and revokes the bearer tokens of `runlog serve`
    Token(token::Arguments),
    /// Looks for what is wrong around runlog: server, schema, nodes, clocks, settings
    Doctor(doctor::Arguments),
    /// Shows a workflow fail, tells why, repairs what was broken and replays it (what a bare `runlog` does)
    Demo(demo::Arguments),
    /// Prints a script that completes this command's words in a shell
    Completions(completions::Arguments),
}

/// Runs the command of this crate with the process's arguments.
pub fn main() -> ExitCode {
    Cli::new().main(std::env::args_os())
}

/// The workflows of an embedder.
#[derive(Clone, Default)]
struct Workflows(Vec<Arc<dyn Code>>);

/// A workflow of any types.
trait Code: Send + Sync {
    fn serve(&self, builder: RuntimeBuilder) -> RuntimeBuilder;
    fn check(&self, check: Check) -> Check;
}

impl<I, O> Code for Workflow<I, O> {
    fn serve(&self, builder: RuntimeBuilder) -> RuntimeBuilder {
        builder.workflow(self.clone())
    }

    fn check(&self, check: Check) -> Check {
        check.workflow(self.clone())
    }
}

impl Workflows {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn serve(&self, builder: RuntimeBuilder) -> RuntimeBuilder {
        self.0.iter().fold(builder, |builder, code| code.serve(builder))
    }

    fn check(&self) -> Check {
        self.0.iter().fold(Check::new(), |check, code| code.check(check))
    }
}

/// The command, with an embedder's own workflows at hand.
#[derive(Clone, Default)]
pub struct Cli {
    workflows: Workflows,
}

impl Cli {
    /// Makes the command as this crate's own binary has it: without any workflow's code.
    pub fn new() -> Cli {
        Cli::default()
    }

    /// Adds a workflow: straight on a database its inputs are checked, and its code can be checked against histories.
    #[must_use]
    pub fn workflow<I: 'static, O: 'static>(mut self, workflow: Workflow<I, O>) -> Cli {
        self.workflows.0.push(Arc::new(workflow));
        self
    }

    /// Runs the command with `arguments`, the first of which names the program, and says how it ended: the exit codes are
    /// those of `runlog help`. Starts a tokio runtime of its own.
    pub fn main(self, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
        let matches = Arguments::command().get_matches_from(arguments);
        let arguments = match Arguments::from_arg_matches(&matches) {
            Ok(arguments) => arguments,
            Err(error) => error.exit(),
        };
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return fail(&error),
        };
        let done = runtime.block_on(self.obey(arguments));
        // A read of the terminal that nobody waits for any more must not keep the process.
        runtime.shutdown_background();
        done
    }

    async fn obey(self, Arguments { options, verb }: Arguments) -> ExitCode {
        let verb = verb.unwrap_or_else(|| Verb::Demo(demo::Arguments::default()));
        let done = match verb {
            Verb::Demo(arguments) => return settle(demo::run(arguments, &options).await),
            Verb::Verify(arguments) => return settle(verify::run(arguments, options).await),
            Verb::Serve(arguments) => return settle(serve::run(arguments, options).await),
            Verb::Token(arguments) => return settle(token::run(arguments, options).await),
            Verb::Migrate(arguments) => migrate::run(arguments, &options).await,
            Verb::Doctor(arguments) => doctor::run(arguments, &options).await,
            Verb::Check(arguments) => check::run(arguments, &self.workflows, &options).await,
            Verb::Completions(arguments) => completions::print::<Arguments>(&arguments),
            verb => self.ask(verb, &options).await,
        };
        match done {
            Ok(exit) => exit.into(),
            Err(Failure::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(failure) => {
                tell(&failure);
                failure.exit().into()
            }
        }
    }

    /// Does what goes through the REST interface.
    async fn ask(self, verb: Verb, options: &Options) -> Done {
        let redaction = options.redaction()?;
        let local = Local { workflows: self.workflows, namespace: options.namespace.clone(), redaction };
        let client = Client::open(options.place()?, local).await?;
        let mut desk = Desk { client, screen: Screen::new(options), output: options.output };
        let done = tokio::select! {
            done = dispatch(&mut desk, verb) => done,
            _interrupted = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
        };
        desk.client.close().await;
        done
    }
}

async fn dispatch(desk: &mut Desk, verb: Verb) -> Done {
    match verb {
        Verb::Ls(arguments) => verbs::ls::run(desk, arguments).await,
        Verb::Failures(arguments) => verbs::failures::run(desk, arguments).await,
        Verb::Why(arguments) => verbs::why::run(desk, arguments).await,
        Verb::Logs(arguments) => verbs::logs::run(desk, arguments).await,
        Verb::Graph(arguments) => verbs::graph::run(desk, arguments).await,
        Verb::State(arguments) => verbs::state::run(desk, arguments).await,
        Verb::Diff(arguments) => verbs::diff::run(desk, arguments).await,
        Verb::Get(arguments) => verbs::get::run(desk, arguments).await,
        Verb::Events(arguments) => verbs::events::run(desk, arguments).await,
        Verb::Watch(arguments) => verbs::watch::run(desk, arguments).await,
        Verb::Trace(arguments) => verbs::trace::run(desk, arguments).await,
        Verb::Start(arguments) => verbs::start::run(desk, arguments).await,
        Verb::Signal(arguments) => verbs::signal::run(desk, arguments).await,
        Verb::Cancel(arguments) => verbs::cancel::run(desk, arguments).await,
        Verb::Replay(arguments) => verbs::replay::run(desk, arguments).await,
        Verb::Bulk(arguments) => verbs::bulk::run(desk, arguments).await,
        Verb::Export(arguments) => verbs::export::run(desk, arguments).await,
        Verb::Import(arguments) => verbs::import::run(desk, arguments).await,
        Verb::Retention(arguments) => verbs::retention::run(desk, arguments).await,
        Verb::Schedules(arguments) => verbs::schedules::run(desk, arguments).await,
        Verb::Triggers(arguments) => verbs::triggers::run(desk, arguments).await,
        Verb::Limits(arguments) => verbs::limits::run(desk, arguments).await,
        Verb::Workflows(arguments) => verbs::workflows::run(desk, arguments).await,
        Verb::Nodes(arguments) => verbs::nodes::run(desk, arguments).await,
        Verb::Audit(arguments) => verbs::audit::run(desk, arguments).await,
        // Done without the REST interface, above.
        Verb::Migrate(_)
        | Verb::Verify(_)
        | Verb::Doctor(_)
        | Verb::Demo(_)
        | Verb::Serve(_)
        | Verb::Token(_)
        | Verb::Check(_)
        | Verb::Completions(_) => Ok(Exit::Error),
    }
}

/// Makes what tells one command from every other: repeated with it, it is done once.
fn once() -> String {
    format!("{:016x}{:016x}", clock::draw_token(), clock::draw_token())
}

fn settle(done: Result<ExitCode, Box<dyn Error>>) -> ExitCode {
    match done {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => fail(&*error),
    }
}

/// Lines that an error may take.
const ERROR_LINES_MAX: usize = 5;

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
    text.lines().take(ERROR_LINES_MAX).for_each(|line| eprintln!("{}", show::plain(line)));
}

/// Says whether whoever read our output went away, as `head` does.
fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
