//! Private Postgres servers: found, started, and stopped again whatever happens to the process that started them.
//!
//! - [`Binaries`] finds a server (14 or newer) on this machine; [`locate`] decides where `runlog demo` gets its own.
//! - [`Server`] is one private cluster: temporary, or kept in a folder.
//! - [`Databases`] gives every test an empty or migrated database on one server shared by the test process.
//!
//! # What is read from the environment
//!
//! `PATH` (server programs), `XDG_CACHE_HOME` and `HOME` (the cache folder), `TMPDIR` (temporary folders) and, in
//! [`Databases::shared`] alone, `DATABASE_URL`. Nothing else of the crate reads the environment.
//!
//! # What is left behind
//!
//! One template cluster per server version and user (about 40 MB) in `<cache folder>/runlog`, safe to delete at any
//! time, and the data of clusters that were asked to be kept. Where no cache folder can be used, the temporary
//! folder takes its place.
//!
//! # Who can connect
//!
//! Servers trust whoever reaches their socket, which lies in a folder that only the server's user may enter. Where
//! no folder with a short enough path can be made for the socket, the server listens on a free port of 127.0.0.1
//! instead, and then every user of the machine can reach it.
//!
//! Postgres refuses to run as root. A process that runs as root therefore starts servers as the user `postgres`,
//! or as `nobody` where there is none.

mod binaries;
mod locate;
mod server;
mod databases;
mod error;

mod account;
mod cluster;
mod door;
#[cfg(feature = "embedded")]
mod embedded;
mod folders;
mod pid_file;
mod template;
mod wait;
mod watchdog;

pub use binaries::Binaries;
pub use databases::{Database, Databases};
pub use error::Error;
pub use locate::{Source, Started, locate};
pub use server::{Durability, Server};
