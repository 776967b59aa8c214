//! The server programs on this machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Error;

/// The oldest supported major version: the oldest that the Postgres project still maintained when the crate began.
const OLDEST: u32 = 14;

/// A folder with Postgres' server programs (`initdb` and `postgres`), version 14 or newer.
#[derive(Debug, Clone)]
pub struct Binaries {
    folder: PathBuf,
    version: String,
    major: u32,
}

impl Binaries {
    /// Finds the server programs of this machine.
    ///
    /// Looks in the folders of `PATH`, then `/usr/lib/postgresql/*/bin` (newest first), then Homebrew's
    /// `postgresql@NN` (newest first) and `postgresql`, below `/opt/homebrew/opt` and `/usr/local/opt`.
    ///
    /// # Errors
    ///
    /// As [`Binaries::search`].
    pub fn find() -> Result<Self, Error> {
        Self::search(&places())
    }

    /// Takes the first of `folders` that holds server programs that are new enough.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where none holds server programs (its message says in three lines what to install);
    /// [`Error::TooOld`], or what else [`Binaries::at`] said of the first one, where none can be used.
    pub fn search(folders: &[PathBuf]) -> Result<Self, Error> {
        let mut refused = None;
        for folder in folders.iter().filter(|folder| has_programs(folder)) {
            match Self::at(folder) {
                Ok(binaries) => return Ok(binaries),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.unwrap_or(Error::NotFound))
    }

    /// Takes the server programs in `folder`, after asking `postgres --version`.
    ///
    /// # Errors
    ///
    /// [`Error::TooOld`], [`Error::UnknownVersion`], or [`Error::Run`] where the program cannot be run.
    pub fn at(folder: impl Into<PathBuf>) -> Result<Self, Error> {
        let folder = folder.into();
        let program = folder.join("postgres");
        let output = Command::new(&program)
            .arg("--version")
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .map_err(Error::run(&program))?;
        let output = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let Some((version, major)) = parse_version(&output) else {
            return Err(Error::UnknownVersion { program, output });
        };
        if major < OLDEST {
            return Err(Error::TooOld { folder, version, oldest: OLDEST });
        }
        Ok(Self { folder, version, major })
    }

    /// The folder with the programs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The server's version as it says itself, such as `15.18` or `18beta1`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The server's major version, such as 15.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    /// Returns the path of a program: in the folder, or, where that has but links to some of them, beside the server that they
    /// lead to.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        let program = self.folder.join(name);
        let server = self.folder.join("postgres");
        match server.canonicalize() {
            Ok(server) if !program.is_file() => server.with_file_name(name),
            _ => program,
        }
    }
}

fn has_programs(folder: &Path) -> bool {
    folder.is_absolute() && ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file())
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` is version `15.18`, major 15.
fn parse_version(output: &str) -> Option<(String, u32)> {
    let version = output.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((version.to_owned(), digits.parse().ok()?))
}

fn places() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = env::split_paths(&path).collect();
    places.extend(newest_first("/usr/lib/postgresql", |name| name.parse().ok()));
    for homebrew in ["/opt/homebrew/opt", "/usr/local/opt"] {
        places.extend(newest_first(homebrew, |name| match name.strip_prefix("postgresql")? {
            "" => Some(0),
            suffix => suffix.strip_prefix('@')?.parse().ok(),
        }));
    }
    places
}

/// The `bin` folders below `parent`'s folders to which `version` gives a number, highest number first.
fn newest_first(parent: &str, version: impl Fn(&str) -> Option<u32>) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| Some((version(entry.file_name().to_str()?)?, entry.path().join("bin"))))
        .collect();
    found.sort_by(|left, right| right.cmp(left));
    found.into_iter().map(|(_, folder)| folder).collect()
}
