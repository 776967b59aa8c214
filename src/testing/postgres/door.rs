//! How clients reach a server: a socket in a folder, or a port where no path is short enough.

use std::fmt::Write;
use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::Error;
use super::account::Account;
use super::folders;

/// The longest path of a socket in bytes: `sun_path` less its NUL, on macOS (Linux allows 107).
const SOCKET_PATH_BYTES_MAX: usize = 103;

/// The number in the socket's name. Sockets lie in a folder of their own, so any number does.
const SOCKET_PORT: u16 = 5432;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Door {
    Socket { folder: PathBuf, port: u16 },
    Port(u16),
}

impl Door {
    /// Chooses a door for the cluster in `folder`: a socket beside its data, else in a new temporary folder with a
    /// shorter path (also returned: it is to be removed in the end), else a free port.
    pub(super) fn choose(folder: &Path, account: &Account) -> Result<(Self, Option<PathBuf>), Error> {
        if fits(folder) {
            return Ok((Self::Socket { folder: folder.to_path_buf(), port: SOCKET_PORT }, None));
        }
        for parent in [std::env::temp_dir(), PathBuf::from("/tmp")] {
            if fits(&parent.join(folders::unique("runlog")))
                && let Ok(folder) = folders::temporary(&parent, account)
            {
                return Ok((Self::Socket { folder: folder.clone(), port: SOCKET_PORT }, Some(folder)));
            }
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        Ok((
            Self::Port(listener.map_err(Error::file("find a free port of", Path::new("127.0.0.1")))?.port()),
            None,
        ))
    }

    /// The server's settings for this door.
    pub(super) fn settings(&self) -> Vec<String> {
        match self {
            Self::Socket { folder, port } => vec![
                "listen_addresses=".to_owned(),
                format!("unix_socket_directories={}", quoted(folder)),
                format!("port={port}"),
            ],
            Self::Port(port) => vec![
                "listen_addresses=127.0.0.1".to_owned(),
                "unix_socket_directories=".to_owned(),
                format!("port={port}"),
            ],
        }
    }

    /// Whether somebody listens.
    pub(super) fn answers(&self) -> bool {
        match self {
            Self::Socket { folder, port } => {
                UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).is_ok()
            }
            Self::Port(port) => TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok(),
        }
    }

    /// Removes the lock of a socket whose server is known to be dead; it names a process as `postmaster.pid` does.
    pub(super) fn unlock(&self) -> Result<(), Error> {
        let Self::Socket { folder, port } = self else { return Ok(()) };
        let lock = folder.join(format!(".s.PGSQL.{port}.lock"));
        match fs::remove_file(&lock) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file("remove", &lock)(error)),
            _ => Ok(()),
        }
    }

    /// The URL of a database. Everything is spelled out, so that no `PG…` variable changes it.
    pub(super) fn url(&self, database: &str) -> String {
        let database = encoded(database.as_bytes());
        match self {
            Self::Socket { folder, port } => {
                let folder = encoded(folder.as_os_str().as_bytes());
                format!("postgres://postgres@localhost:{port}/{database}?host={folder}&sslmode=disable")
            }
            Self::Port(port) => format!("postgres://postgres@127.0.0.1:{port}/{database}?sslmode=disable"),
        }
    }
}

fn fits(folder: &Path) -> bool {
    folder.join(format!(".s.PGSQL.{SOCKET_PORT}")).as_os_str().len() <= SOCKET_PATH_BYTES_MAX
}

/// One element of a list setting: in double quotes, which are doubled inside.
fn quoted(folder: &Path) -> String {
    format!("\"{}\"", folder.to_string_lossy().replace('"', "\"\""))
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
fn encoded(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len()), |mut text, &byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}
