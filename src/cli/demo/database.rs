//! The demo's database: found, told in one line, and connected.

use std::error::Error;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};

use crate::cli::database::{self, place};
use crate::cli::show::Screen;
use crate::testing::postgres::{Source, Started, locate};

/// How long the server may take to answer.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Finds and starts a server, says which, and connects.
pub(super) async fn open(
    screen: &mut Screen,
    url: Option<&str>,
) -> Result<(Started, PgPool), Box<dyn Error>> {
    let url = database::url(url.map(str::to_owned));
    let source = locate(url.as_deref()).await?;
    screen.line(format!("database   {}", told(&source)?))?;
    let database = source.start("demo").await?;
    let options = PgConnectOptions::from_str(database.url())?;
    // A pool hides why it cannot connect until it gives up; a connection says so at once.
    connect(&options).await?.close().await?;
    let pool =
        PgPoolOptions::new().max_connections(5).acquire_timeout(CONNECT_MAX).connect_with(options).await?;
    Ok((database, pool))
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, Box<dyn Error>> {
    let place = place(options);
    match tokio::time::timeout(CONNECT_MAX, options.connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(format!("the database {place} cannot be used: {error}").into()),
        Err(_) => {
            Err(format!("the database {place} did not answer within {} s", CONNECT_MAX.as_secs()).into())
        }
    }
}

/// Names the server, without its password.
fn told(source: &Source) -> Result<String, sqlx::Error> {
    Ok(match source {
        Source::Url(url) => format!("{}, as DATABASE_URL says", place(&PgConnectOptions::from_str(url)?)),
        Source::Private { binaries, folder } => format!(
            "a private postgres {} from {}, kept in {}",
            binaries.version(),
            binaries.folder().display(),
            folder.display()
        ),
        #[cfg(feature = "embedded")]
        Source::Download { folder, .. } => {
            format!("a private postgres, downloaded first, kept in {}", folder.display())
        }
    })
}
