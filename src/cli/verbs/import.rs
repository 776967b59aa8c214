//! `runlog import`: exported runs into a database's archive.

use super::{Desk, Done};
use crate::cli::documents::Imported;
use crate::cli::exit::Exit;
use crate::cli::options::Output;
use crate::cli::show::plain;
use crate::cli::{given, once};
use crate::inspect::split_exports;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The file that `runlog export` wrote; - for standard input
    file: String,
}

/// Sends one after the other: a file may hold more than one request takes.
pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let text = given::file(&arguments.file)?;
    for exported in split_exports(&text) {
        let answer = desk.client.post_lines("import", exported, once()).await?;
        let imported: Imported = answer.read()?;
        for run in imported.data {
            match desk.output {
                Output::Text => {
                    let hidden =
                        if run.redacted { "; values of it were hidden where it was exported" } else { "" };
                    desk.screen.line(format!("imported {} into the archive{hidden}", plain(&run.run)))?;
                }
                Output::Json | Output::Jsonl => desk.screen.raw(&answer.body)?,
                Output::Ids => desk.screen.line(plain(&run.run))?,
            }
        }
    }
    Ok(Exit::Fine)
}
