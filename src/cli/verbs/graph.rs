//! `runlog graph`: a run's tasks and what each waits for.

use clap::ValueEnum;

use super::{Desk, Done};
use crate::cli::exit::Exit;
use crate::cli::options::Output;
use crate::cli::{ids, show};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which run: its id, the beginning of it, @last or @last-failed
    run: String,
    /// For the terminal, for Graphviz, or for Mermaid
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Format {
    #[default]
    Ascii,
    Dot,
    Mermaid,
}

/// Columns where there is no terminal.
const WIDTH_DEFAULT: usize = 100;

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let id = ids::one(&desk.client, &arguments.run).await?;
    let format = match (desk.output, arguments.format) {
        (Output::Json | Output::Jsonl | Output::Ids, _) => "json",
        (Output::Text, Format::Ascii) => "ascii",
        (Output::Text, Format::Dot) => "dot",
        (Output::Text, Format::Mermaid) => "mermaid",
    };
    let width = desk.screen.width().unwrap_or(WIDTH_DEFAULT).clamp(20, 1_000).to_string();
    let query = [("format", format), ("width", width.as_str())];
    let answer = desk.client.get(&format!("runs/{id}/graph"), &query).await?;
    if !desk.passed_on(&answer, Some(&id))? {
        show::text(&mut desk.screen, &answer.body)?;
    }
    Ok(Exit::Fine)
}
