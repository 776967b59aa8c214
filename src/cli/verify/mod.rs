//! `runlog verify`: what must hold of everything in a database, checked.

mod json;
mod text;

use std::error::Error;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use super::options::{Options, Output};
use super::{database, tell};
use crate::cli::show::Screen;
use crate::model::RunId;
use crate::store::postgres::{Invariant, Scope};

/// What `runlog verify` may be told.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The database to check, or a replica of it [default: --database-url, else $DATABASE_URL]
    #[arg(value_name = "DATABASE_URL", conflicts_with = "database_url")]
    database: Option<String>,
    /// Names the invariants and what each says, and checks nothing
    #[arg(long, conflicts_with = "sql")]
    list: bool,
    /// Prints an invariant's statement as psql takes it, and checks nothing
    #[arg(long, value_name = "NAME", value_parser = invariant, conflicts_with = "since")]
    sql: Option<&'static Invariant>,
    /// How late what the clock asks for may be; 0s for a system at rest
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "30s")]
    grace: Duration,
    /// Checks only runs that were created this long ago or less, such as 7d
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, conflicts_with = "run")]
    since: Option<Duration>,
    /// Checks only this run
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
    /// Prints at most so many violations of one invariant, and counts the others
    #[arg(long, value_name = "COUNT", default_value_t = Scope::default().violations_max)]
    limit: usize,
}

const AFTER_HELP: &str = "\
It only reads, in one snapshot, and works beside running nodes. What the clock asks for (a wake-up, a timer, a \
message, the rescue of a dead node's runs) is late only after the grace; everything else holds at any instant.

Exit codes: 0 every invariant holds, 1 one is broken, 2 it could not be checked.";

/// The exit code when nothing is known of the database: that of arguments that cannot be understood.
const NOT_CHECKED: u8 = 2;

/// Checks a database, or says what would be checked.
pub(super) async fn run(arguments: Arguments, options: Options) -> Result<ExitCode, Box<dyn Error>> {
    let mut screen = Screen::new(&options);
    if arguments.list {
        match options.output {
            Output::Text => text::list(&mut screen)?,
            Output::Json | Output::Jsonl | Output::Ids => json::list(&mut screen)?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let scope = Scope {
        grace: arguments.grace,
        since: arguments.since,
        run: arguments.run,
        violations_max: arguments.limit,
    };
    if let Some(invariant) = arguments.sql {
        screen.line(format!("{};", invariant.for_psql(&scope).trim_end()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let named = arguments.database.or(options.database_url);
    let server = match server(named) {
        Ok(server) => server,
        Err(error) => return Ok(not_checked(error)),
    };
    let place = database::place(&server);
    let pool = PgPool::connect_lazy_with(server);
    let checked = match options.output {
        Output::Text => text::check(&mut screen, &pool, &scope, &place).await,
        Output::Json | Output::Jsonl | Output::Ids => json::check(&mut screen, &pool, &scope).await,
    };
    match checked {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::FAILURE),
        Err(NotDone::Print(error)) => Err(error.into()),
        Err(NotDone::Check(error)) => {
            Ok(not_checked(format!("the database {place} cannot be checked: {error}")))
        }
    }
}

fn server(url: Option<String>) -> Result<PgConnectOptions, String> {
    let url = database::url(url).ok_or("no database is named: give its URL, or set DATABASE_URL")?;
    PgConnectOptions::from_str(&url).map_err(|error| format!("the database's URL cannot be read: {error}"))
}

fn not_checked(why: String) -> ExitCode {
    tell(&*Box::<dyn Error>::from(why));
    ExitCode::from(NOT_CHECKED)
}

fn invariant(name: &str) -> Result<&'static Invariant, String> {
    Invariant::named(name)
        .ok_or_else(|| "there is no such invariant: `runlog verify --list` names them".to_owned())
}

/// Why a check came to no end.
#[derive(Debug, thiserror::Error)]
enum NotDone {
    /// Nobody reads what is printed.
    #[error(transparent)]
    Print(#[from] std::io::Error),
    /// The database gave no answer.
    #[error(transparent)]
    Check(#[from] crate::store::StoreError),
}
