//! The `runlog` command.
//!
//! It needs the feature `cli`. Where that is off, as in a bare `cargo run`, cargo is asked to build it with the feature.

use std::process::ExitCode;

#[cfg(feature = "cli")]
fn main() -> ExitCode {
    runlog::cli::main()
}

#[cfg(not(feature = "cli"))]
fn main() -> ExitCode {
    // Cargo sets both for what it runs; another package's cargo would name another manifest.
    let (Some(cargo), Some(folder)) = (std::env::var_os("CARGO"), std::env::var_os("CARGO_MANIFEST_DIR"))
    else {
        eprintln!("runlog was built without its commands: cargo install runlog --features cli");
        return ExitCode::FAILURE;
    };
    eprintln!("runlog: the command needs the feature `cli`: cargo run --features cli");
    let mut command = std::process::Command::new(cargo);
    command.args(["run", "--quiet", "--features", "cli", "--manifest-path"]);
    command.arg(std::path::Path::new(&folder).join("Cargo.toml"));
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    match command.arg("--").args(std::env::args_os().skip(1)).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error) => {
            eprintln!("runlog: cargo cannot be run: {error}");
            ExitCode::FAILURE
        }
    }
}
