//! Server programs from the network, for a machine that has none.

use std::fs::{self, File};
use std::path::PathBuf;

use postgresql_embedded::{PostgreSQL, Settings};

use super::account::Account;
use super::server::blocking;
use super::{Binaries, Error, folders};

/// Downloads the newest Postgres into `programs`, unless one was downloaded before.
///
/// `postgresql_embedded` would also make the cluster and run the server, but neither as another user than root nor
/// with a watchdog, so only its download is used: it makes no cluster where it finds a `postgresql.conf`.
pub(super) async fn download(programs: PathBuf) -> Result<Binaries, Error> {
    let (scratch, data) = blocking(|| {
        let scratch = folders::temporary(&std::env::temp_dir(), &Account::of_server()?)?;
        let data = scratch.join("data");
        fs::create_dir(&data).map_err(Error::file("create", &data))?;
        let marker = data.join("postgresql.conf");
        File::create(&marker).map_err(Error::file("create", &marker))?;
        Ok((scratch, data))
    })
    .await?;
    let settings = Settings {
        installation_dir: programs,
        password_file: scratch.join("password"),
        data_dir: data,
        temporary: false,
        ..Settings::new()
    };
    let mut postgres = PostgreSQL::new(settings);
    let installed = postgres.setup().await;
    let folder = postgres.settings().binary_dir();
    blocking(move || {
        fs::remove_dir_all(&scratch).map_err(Error::file("remove", &scratch))?;
        installed.map_err(|error| Error::Download { source: Box::new(error) })?;
        Binaries::at(folder)
    })
    .await
}
