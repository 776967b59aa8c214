//! Files: their names as text, finding them, counting and hashing them.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Entries and bytes of names in one page: its JSON stays far below the limit of a step's output (1 MiB).
const PAGE_ENTRIES_MAX: usize = 2_000;
const PAGE_BYTES_MAX: usize = 128 << 10;

/// Writes a path as text from which it can be read again: backslashes, control characters and bytes that are no UTF-8
/// become `\xNN`; every other path is itself.
pub(crate) fn to_text(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\\' => text.push_str("\\x5c"),
                char if char.is_control() => {
                    let mut bytes = [0; 4];
                    char.encode_utf8(&mut bytes)
                        .bytes()
                        .for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
                }
                char => text.push(char),
            }
        }
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

/// Reads what [`to_text`] wrote.
pub(crate) fn to_path(text: &str) -> PathBuf {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        bytes.extend(u8::from_str_radix(code, 16));
        bytes.extend(rest.as_bytes());
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// Some of a folder's files, in order.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Page {
    /// Paths of files, relative to the folder.
    pub(crate) files: Vec<String>,
    /// Subfolders that cannot be listed, and why.
    pub(crate) unreadable: Vec<(String, String)>,
    /// Where the next page begins; `None` on the last one.
    pub(crate) next: Option<String>,
}

/// Lists regular files as `find FOLDER -type f` does, those after the path `after` first. Symbolic links are not
/// followed and not listed, nor are sockets, pipes and devices.
pub(crate) fn list(folder: &Path, after: Option<&Path>) -> io::Result<Page> {
    let mut page = Page::default();
    let mut bytes = 0;
    let mut open = vec![entries(folder, Path::new(""))?.into_iter()];
    while let Some(innermost) = open.last_mut() {
        let Some((path, is_folder)) = innermost.next() else {
            open.pop();
            continue;
        };
        let text = to_text(&path);
        if is_folder {
            // Of what is done already, only the folders above the last path have something left.
            let above = after.is_some_and(|after| after != path && after.starts_with(&path));
            if !above && after.is_some_and(|after| *path <= *after) {
                continue;
            }
            match entries(folder, &path) {
                Ok(entries) => {
                    open.push(entries.into_iter());
                    continue;
                }
                Err(error) => page.unreadable.push((text.clone(), error.to_string())),
            }
        } else {
            if after.is_some_and(|after| *path <= *after) {
                continue;
            }
            page.files.push(text.clone());
        }
        bytes += text.len();
        if page.files.len() + page.unreadable.len() >= PAGE_ENTRIES_MAX || bytes >= PAGE_BYTES_MAX {
            page.next = Some(text);
            break;
        }
    }
    Ok(page)
}

/// Reads one folder: files and folders with their paths relative to `root`, sorted.
fn entries(root: &Path, folder: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() || kind.is_file() {
            entries.push((folder.join(entry.file_name()), kind.is_dir()));
        }
    }
    entries.sort();
    Ok(entries)
}

/// Why a file cannot be booked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("{0}")]
    Read(#[from] io::Error),
    #[error("it is no regular file any more")]
    NotAFile,
    #[error("it changed while it was read: {counted} bytes were counted, {hashed} hashed")]
    Changed { counted: i64, hashed: i64 },
}

/// What `wc` says of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) lines: i64,
    pub(crate) words: i64,
    pub(crate) bytes: i64,
}

/// Counts as `LC_ALL=C wc` does: newlines, words, bytes. Words are separated by white space, and hold at least one
/// printable ASCII character, as GNU has it; that matters in binary files only.
pub(crate) fn count(path: &Path) -> Result<Counts, FileError> {
    let mut counts = Counts::default();
    let mut in_word = false;
    read(path, |chunk| {
        for byte in chunk {
            match byte {
                b'\n' => counts.lines += 1,
                b'\t' | b'\x0b' | b'\x0c' | b'\r' | b' ' => {}
                b'!'..=b'~' => {
                    counts.words += i64::from(!in_word);
                    in_word = true;
                    continue;
                }
                _ => continue,
            }
            in_word = false;
        }
        counts.bytes += i64::try_from(chunk.len()).unwrap_or(i64::MAX);
    })?;
    Ok(counts)
}

/// A file's SHA-256 as `sha256sum` writes it, and over how many bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hashed {
    pub(crate) sha256: String,
    pub(crate) bytes: i64,
}

/// Hashes a file.
pub(crate) fn hash(path: &Path) -> Result<Hashed, FileError> {
    let mut sha256 = Sha256::new();
    let mut bytes = 0;
    read(path, |chunk| {
        sha256.update(chunk);
        bytes += i64::try_from(chunk.len()).unwrap_or(i64::MAX);
    })?;
    Ok(Hashed { sha256: hex(&sha256.finalize()), bytes })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a file chunk by chunk, however large it is.
fn read(path: &Path, mut take: impl FnMut(&[u8])) -> Result<(), FileError> {
    // Opening a pipe that took the file's place would wait for a writer for ever.
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(FileError::NotAFile);
    }
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => take(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}
