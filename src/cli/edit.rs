//! A value that a person changes in an editor.

use std::io::Write;
use std::process::Command;

use serde_json::value::RawValue;

use super::client::Failure;

/// Opens a JSON text in `$VISUAL` or `$EDITOR`, and reads what is left there.
pub(super) fn json(before: &[u8]) -> Result<Box<RawValue>, Failure> {
    let named = ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok());
    let editor = named.filter(|editor| !editor.trim().is_empty());
    let editor = editor.ok_or_else(|| Failure::Usage("set EDITOR, or use --input".to_owned()))?;
    let path = std::env::temp_dir().join(format!("runlog-input-{}.json", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&path)?.write_all(before)?;
    // An editor may be a command with arguments, as in `code --wait`.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or_default();
    let ended = Command::new(program).args(words).arg(&path).status();
    let after = std::fs::read_to_string(&path);
    std::fs::remove_file(&path)?;
    let ended =
        ended.map_err(|error| Failure::Usage(format!("the editor {program:?} does not start: {error}")))?;
    if !ended.success() {
        return Err(Failure::Usage(format!("the editor ended with {ended}: nothing was done")));
    }
    let after = RawValue::from_string(after?.trim().to_owned());
    after.map_err(|error| Failure::Usage(format!("the edited input is no JSON: {error}: nothing was done")))
}
