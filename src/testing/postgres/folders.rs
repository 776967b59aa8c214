//! Where clusters live: the cache folder, temporary folders, and whether the server's user can use them.

use std::collections::hash_map::RandomState;
use std::env;
use std::fs::{self, DirBuilder};
use std::hash::{BuildHasher, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::Error;
use super::account::Account;

/// A folder for what is worth keeping: `runlog` in the user's cache folder, or, where the server's user cannot use
/// that, one in the temporary folder. Nobody but the server's user (and root) can write to it.
pub(super) fn cache(account: &Account) -> Result<PathBuf, Error> {
    let fallback = env::temp_dir().join(format!("runlog-cache-{}", account.uid()));
    let mut refused = None;
    for folder in users_cache().into_iter().map(|cache| cache.join("runlog")).chain([fallback]) {
        match private(&folder, account) {
            Ok(()) => return Ok(folder),
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or_else(|| Error::Bug { what: "no cache folder was tried".to_owned() }))
}

fn users_cache() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let below_home = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(below_home)))
}

/// Makes sure that `folder` exists, belongs to the server's user, is theirs alone to write to, and can be reached.
pub(super) fn private(folder: &Path, account: &Account) -> Result<(), Error> {
    let unusable = |reason| Err(Error::Unusable { folder: folder.to_path_buf(), reason });
    if !folder
        .ancestors()
        .find(|ancestor| ancestor.is_dir())
        .is_some_and(|ancestor| account.may_enter(ancestor))
    {
        return unusable("the server's user may not enter the folders above it");
    }
    if fs::symlink_metadata(folder).is_err() {
        create(folder, account)?;
    }
    let metadata = fs::symlink_metadata(folder).map_err(Error::file("look at", folder))?;
    if !metadata.is_dir() {
        return unusable("it is not a folder");
    }
    if metadata.uid() != account.uid() {
        return unusable("it belongs to another user than the one the server runs as");
    }
    if metadata.mode() & 0o022 != 0 {
        return unusable("other users can write to it");
    }
    if !account.may_write(folder) {
        return unusable("the server's user may not write to it");
    }
    Ok(())
}

/// Makes a folder of the server's user. Others never see it while it is still ours: it gets its name last.
fn create(folder: &Path, account: &Account) -> Result<(), Error> {
    let parent = folder.parent().unwrap_or(folder);
    fs::create_dir_all(parent).map_err(Error::file("create", parent))?;
    let staging = temporary(parent, account)?;
    match fs::rename(&staging, folder) {
        Ok(()) => Ok(()),
        // Somebody else was faster, and has put something into it already.
        Err(_) if folder.is_dir() => fs::remove_dir(&staging).map_err(Error::file("remove", &staging)),
        Err(error) => Err(Error::file("rename", &staging)(error)),
    }
}

/// Makes a new folder below `parent` that only the server's user (and root) can enter.
pub(super) fn temporary(parent: &Path, account: &Account) -> Result<PathBuf, Error> {
    let parent = std::path::absolute(parent).map_err(Error::file("find", parent))?;
    let folder = parent.join(unique("runlog"));
    DirBuilder::new().mode(0o700).create(&folder).map_err(Error::file("create", &folder))?;
    account.give(&folder)?;
    Ok(folder)
}

/// A name that no other process uses, now or later: short, because socket paths are.
pub(super) fn unique(prefix: &str) -> String {
    format!("{prefix}-{}-{:08x}", std::process::id(), random())
}

/// 32 random bits. The standard library's hash keys are its only source of randomness.
pub(super) fn random() -> u32 {
    let bits = RandomState::new().build_hasher().finish();
    u32::try_from(bits >> 32).unwrap_or_default()
}
