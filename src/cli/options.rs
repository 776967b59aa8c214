//! What every verb may be told: where the runs are, and how to print.

use clap::ValueEnum;

use super::client::Failure;
use super::database;
use crate::model::{Namespace, Redaction};

/// Options of every verb.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct Options {
    /// The address of a service's REST interface, such as http://127.0.0.1:7777
    #[arg(long, global = true, env = "RUNLOG_URL", value_name = "URL", help_heading = "Where")]
    url: Option<String>,
    /// The token for it; better in RUNLOG_TOKEN, or in the file that RUNLOG_TOKEN_FILE names
    #[arg(
        long,
        global = true,
        env = "RUNLOG_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        help_heading = "Where"
    )]
    token: Option<String>,
    /// Straight to a database, whether a service runs or not [default: $DATABASE_URL]
    #[arg(long, global = true, alias = "database", value_name = "URL", help_heading = "Where")]
    pub(super) database_url: Option<String>,
    /// Only this namespace's runs, straight on a database; a token has its own
    #[arg(long, global = true, value_name = "NAME", value_parser = namespace, help_heading = "Where")]
    pub(super) namespace: Option<Namespace>,
    /// Hides values of inputs, outputs and signals, straight on a database and of what is served: $.card, $..password; may be
    /// repeated, and more paths stand in RUNLOG_REDACT
    #[arg(long, global = true, value_name = "PATH", value_parser = hidden_path, help_heading = "Where")]
    redact: Vec<String>,
    /// How results are printed
    #[arg(
        long,
        short,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        help_heading = "How"
    )]
    pub(super) output: Output,
    /// When to use colour; NO_COLOR is heeded, too
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", help_heading = "How")]
    pub(super) color: Colour,
    /// How times are printed
    #[arg(long, global = true, value_enum, default_value_t, value_name = "HOW", help_heading = "How")]
    pub(super) time: Times,
    /// Print nothing but results
    #[arg(long, short, global = true, help_heading = "How")]
    pub(super) quiet: bool,
}

/// The variable of the environment that names more paths, divided by commas or white space.
const REDACT: &str = "RUNLOG_REDACT";

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people
    #[default]
    Text,
    /// The REST interface's answer, byte for byte
    Json,
    /// One JSON value a line, all pages of a list
    Jsonl,
    /// Ids alone, one a line
    Ids,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How times are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Times {
    /// How long ago
    #[default]
    Rel,
    /// RFC 3339 in UTC
    Iso,
    /// This machine's time zone
    Local,
}

/// Where the runs are.
pub(super) enum Place {
    /// A service.
    Server {
        /// Its address.
        url: String,
        /// What it asks for.
        token: Option<String>,
    },
    /// A database.
    Database {
        /// Its address.
        url: String,
    },
}

impl Options {
    /// Returns which values are hidden: what the command line says and what the environment does.
    pub(super) fn redaction(&self) -> Result<Redaction, Failure> {
        let variable = std::env::var(REDACT).unwrap_or_default();
        let mut redaction = Redaction::of(&self.redact).map_err(|error| Failure::Usage(error.to_string()))?;
        let added = redaction.add(Redaction::divide(&variable));
        added.map_err(|error| Failure::Usage(format!("{REDACT}: {error}")))?;
        Ok(redaction)
    }

    /// Decides where to ask: what was said on the command line wins over the environment, a service over a database.
    pub(super) fn place(&self) -> Result<Place, Failure> {
        let token = match &self.token {
            Some(token) => Some(token.clone()),
            None => token_file()?,
        };
        match (&self.url, &self.database_url) {
            (Some(_), None) if !self.redact.is_empty() => Err(Failure::Usage(
                "--redact is for a database: a service decides itself what it hides, see `runlog serve --redact`".to_owned(),
            )),
            (Some(url), None) => Ok(Place::Server { url: url.clone(), token }),
            (_, Some(url)) => Ok(Place::Database { url: url.clone() }),
            (None, None) => database::url(None).map(|url| Place::Database { url }).ok_or_else(|| {
                Failure::Usage(
                    "nothing says where the runs are: give --url or --database-url, or set RUNLOG_URL or DATABASE_URL"
                        .to_owned(),
                )
            }),
        }
    }
}

fn hidden_path(path: &str) -> Result<String, String> {
    Redaction::of([path]).map(|_| path.to_owned()).map_err(|error| error.to_string())
}

fn namespace(name: &str) -> Result<Namespace, String> {
    Namespace::new(name).map_err(|error| error.to_string())
}

/// Reads the token from the file that the environment names.
fn token_file() -> Result<Option<String>, Failure> {
    let Some(path) = std::env::var_os("RUNLOG_TOKEN_FILE").filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    let unread =
        |error| Failure::Usage(format!("RUNLOG_TOKEN_FILE {} cannot be read: {error}", path.display()));
    let text = std::fs::read_to_string(&path).map_err(unread)?;
    Ok(Some(text.trim().to_owned()))
}
