//! A cluster is a copy of a template: copying one takes a tenth of the time of making one.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use super::account::Account;
use super::folders::{self, unique};
use super::{Binaries, Error};

/// Makes sure that `data`, in a folder of the server's user, holds a cluster of this major version.
///
/// A process that dies half-way leaves no half of a cluster: it is copied under another name and then renamed.
/// `synced` says whether the files must be on the disk on return, rather than when the system gets to it.
pub(super) fn ensure(binaries: &Binaries, account: &Account, data: &Path, synced: bool) -> Result<(), Error> {
    if exists(data) {
        return check_version(binaries, data);
    }
    let staging = data.with_file_name(unique("data"));
    match cached(binaries, account) {
        Ok(template) => {
            account.run("cp", &[OsStr::new("-pPR"), template.as_os_str(), staging.as_os_str()])?;
            if synced {
                sync(binaries, account, &staging)?;
            }
        }
        // No folder to keep a template in: slower, but it works.
        Err(Error::Unusable { .. } | Error::File { .. }) => make(binaries, account, &staging)?,
        Err(error) => return Err(error),
    }
    publish(&staging, data)
}

/// The template of this version, made if it is missing.
fn cached(binaries: &Binaries, account: &Account) -> Result<std::path::PathBuf, Error> {
    let cache = folders::cache(account)?;
    let template = cache.join(format!("template-{}-{}", binaries.version(), account.uid()));
    if !exists(&template) {
        let staging = cache.join(unique("template"));
        make(binaries, account, &staging)?;
        publish(&staging, &template)?;
    }
    Ok(template)
}

fn make(binaries: &Binaries, account: &Account, data: &Path) -> Result<(), Error> {
    let options = ["-N", "--auth=trust", "-U", "postgres", "--encoding=UTF8", "--locale=C", "-D"];
    let arguments: Vec<OsString> = options.iter().map(OsString::from).chain([data.into()]).collect();
    account.run(binaries.program("initdb"), &arguments)?;
    sync(binaries, account, data)
}

/// Writes a cluster's files to the disk. A template torn by a power cut would fail every later cluster.
fn sync(binaries: &Binaries, account: &Account, data: &Path) -> Result<(), Error> {
    let arguments = [OsStr::new("--sync-only"), OsStr::new("-D"), data.as_os_str()];
    account.run(binaries.program("initdb"), &arguments)
}

/// Gives a finished folder its name, unless another process was faster.
fn publish(staging: &Path, folder: &Path) -> Result<(), Error> {
    match fs::rename(staging, folder) {
        Ok(()) => Ok(()),
        Err(_) if exists(folder) => fs::remove_dir_all(staging).map_err(Error::file("remove", staging)),
        Err(error) => Err(Error::file("rename", staging)(error)),
    }
}

fn exists(data: &Path) -> bool {
    data.join("PG_VERSION").is_file()
}

fn check_version(binaries: &Binaries, data: &Path) -> Result<(), Error> {
    let path = data.join("PG_VERSION");
    let found = fs::read_to_string(&path).map_err(Error::file("read", &path))?.trim().to_owned();
    if found == binaries.major().to_string() {
        return Ok(());
    }
    Err(Error::OtherVersion { data: data.to_path_buf(), found, wanted: binaries.major() })
}
