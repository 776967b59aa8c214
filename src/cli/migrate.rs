//! `runlog migrate`: brings a database's schema to this release.

use std::str::FromStr;

use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use super::client::Failure;
use super::database;
use super::exit::Exit;
use super::options::{Options, Output};
use super::show::Screen;
use super::verbs::Done;
use crate::store::StoreError;
use crate::store::postgres::{SchemaVersion, migrate, migrations_sql, schema_version};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Changes nothing; the exit code is 6 when the schema is not this release's
    #[arg(long)]
    check: bool,
    /// Prints the statements that are missing, for whoever runs them otherwise, and changes nothing
    #[arg(long, conflicts_with = "check")]
    print_sql: bool,
}

pub(super) async fn run(arguments: Arguments, options: &Options) -> Done {
    let (pool, place) = pool(options)?;
    let mut screen = Screen::new(options);
    let SchemaVersion { found, known } =
        schema_version(&pool).await.map_err(|error| failed(&place, &error))?;
    if arguments.print_sql {
        screen.raw(migrations_sql(found).as_bytes())?;
        return Ok(Exit::Fine);
    }
    if !arguments.check && found < known {
        migrate(&pool).await.map_err(|error| failed(&place, &error))?;
    }
    pool.close().await;
    let is = if arguments.check { found } else { found.max(known) };
    if options.output != Output::Text {
        let told = serde_json::json!({ "found": found, "is": is, "needed": known });
        screen.line(told.to_string())?;
    } else {
        screen.line(match found {
            _ if found > known => {
                format!("{place}: schema {found} is of a newer release, this one needs {known}")
            }
            _ if found == known => format!("{place}: schema {known}, nothing to do"),
            _ if arguments.check => {
                format!("{place}: schema {found}, this release needs {known}: run `runlog migrate`")
            }
            _ => format!("{place}: schema {found} → {known}"),
        })?;
    }
    Ok(if is == known { Exit::Fine } else { Exit::Conflict })
}

/// Opens a pool on the database that the options name, and says which that is.
pub(super) fn pool(options: &Options) -> Result<(PgPool, String), Failure> {
    let url = database::url(options.database_url.clone());
    let url = url.ok_or_else(|| {
        Failure::Usage("no database is named: give --database-url, or set DATABASE_URL".to_owned())
    })?;
    let options = PgConnectOptions::from_str(&url)
        .map_err(|error| Failure::Usage(format!("the database's URL cannot be read: {error}")))?;
    let place = database::place(&options);
    Ok((PgPool::connect_lazy_with(options), place))
}

/// Tells a database that does not answer from one that does not do it.
pub(super) fn failed(place: &str, error: &StoreError) -> Failure {
    match error {
        StoreError::Unavailable { source } => {
            Failure::Unreachable { what: format!("the database {place}"), why: source.to_string() }
        }
        error => Failure::Other(format!("the database {place}: {error}")),
    }
}
