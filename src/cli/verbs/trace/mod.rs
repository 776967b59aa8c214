//! `runlog trace`: a run as spans.

mod show;
mod export;
mod log;
mod post;
mod refused;

use super::{Desk, Done};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Shows a run's trace as a tree, as an OpenTelemetry backend has it
    Show(show::Arguments),
    /// Sends the spans of past runs to an OpenTelemetry backend, with the ids that they had or would have had
    Export(export::Arguments),
    /// Lists spans that the backend refused for good, and says how far the export is
    Refused(refused::Arguments),
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    match arguments.verb {
        Verb::Show(arguments) => show::run(desk, arguments).await,
        Verb::Export(arguments) => export::run(desk, arguments).await,
        Verb::Refused(arguments) => refused::run(desk, arguments).await,
    }
}
