//! What every verb may be told: where the runs are, and how to print.

use clap::ValueEnum;

use super::client::Failure;
use super::database;
use crate::model::Namespace;

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
    /// Decides where to ask: what was said on the command line wins over the environment, a service over a database.
    pub(super) fn place(&self) -> Result<Place, Failure> {
        let token = match &self.token {
            Some(token) => Some(token.clone()),
            None => token_file()?,
        };
        match (&self.url, &self.database_url) {
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
