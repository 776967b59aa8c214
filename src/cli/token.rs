//! `runlog token`: who may use `runlog serve`.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use sqlx::postgres::PgPoolOptions;

use super::database;
use super::options::Options;
use super::show::{Screen, plain};
use crate::http::{Action, Grant, Token, Tokens};
use crate::model::Namespace;

/// What `runlog token` may be told.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Makes a token and prints its secret, this once
    New {
        /// Whose or what it is for: what the audit and the runs' logs call its bearer
        name: String,
        /// What its bearer may do, divided by commas [default: read, read_payload]
        #[arg(long, value_name = "ACTIONS", value_delimiter = ',', conflicts_with = "all")]
        allow: Vec<Action>,
        /// Allows everything
        #[arg(long)]
        all: bool,
        /// How long it lives, such as 90d; until it is revoked unless told
        #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
        lives: Option<Duration>,
    },
    /// Lists the tokens, without their secrets
    Ls,
    /// Revokes a token: the next request with it is refused
    Revoke {
        /// Its name
        name: String,
    },
}

/// Makes, lists or revokes tokens; a new one is bound to `--namespace`, if that is given.
pub(super) async fn run(arguments: Arguments, options: Options) -> Result<ExitCode, Box<dyn Error>> {
    let mut screen = Screen::new(&options);
    let url = database::url(options.database_url);
    let url = url.ok_or("no database is named: give --database-url, or set DATABASE_URL")?;
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy(&url);
    let pool = pool.map_err(|error| format!("the database's URL cannot be read: {error}"))?;
    let tokens = Tokens::open(&pool).await?;
    match arguments.verb {
        Verb::New { name, allow, all, lives } => {
            let allow = match (all, allow.is_empty()) {
                (true, _) => Action::ALL.to_vec(),
                (false, true) => vec![Action::Read, Action::ReadPayload],
                (false, false) => allow,
            };
            let grant = Grant::new(name, allow);
            let grant = options.namespace.into_iter().fold(grant, Grant::in_namespace);
            let grant = lives.into_iter().fold(grant, Grant::lives);
            screen.line(tokens.create(grant).await?.secret)?;
        }
        Verb::Ls => tokens.list().await?.iter().try_for_each(|token| screen.line(line(token)))?,
        Verb::Revoke { name } => {
            if !tokens.revoke(&name).await? {
                return Err(format!("there is no token called {name:?}: `runlog token ls` lists them").into());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(token: &Token) -> String {
    let namespace = token.namespace.as_ref().map_or("all namespaces", Namespace::as_str);
    let day = |at: crate::model::Timestamp| at.format("%Y-%m-%d %H:%M UTC").to_string();
    let used = token.used_at.map_or("never used".to_owned(), |at| format!("used {}", day(at)));
    let expires = token.expires_at.map_or("never expires".to_owned(), |at| format!("expires {}", day(at)));
    format!(
        "{}…  {:<20}  {namespace}  {used}  {expires}  {}",
        token.prefix,
        plain(&token.name),
        token.actions.join(",")
    )
}
