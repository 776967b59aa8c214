//! The examples, run as a person runs them.

mod output;
mod ingest;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An example's program, which `cargo test` built beside the command's; `cargo test --test it` does not build it.
fn example(name: &str) -> Command {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_runlog")).with_file_name("examples").join(name);
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let source = [examples.join(format!("{name}.rs")), examples.join(name).join("main.rs")];
    let source = source.iter().find_map(|path| changed(path)).expect("an example has a source");
    let is_new = changed(&program).is_some_and(|built| built >= source);
    assert!(is_new, "{} is missing or older than its source: cargo build --examples", program.display());
    Command::new(program)
}

fn changed(path: &Path) -> Option<std::time::SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
