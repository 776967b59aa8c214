//! `runlog check`: plays recorded histories against the code at hand, without the REST interface.

use super::client::Failure;
use super::exit::Exit;
use super::migrate::{failed, pool};
use super::options::Options;
use super::show::{Screen, plain};
use super::verbs::Done;
use super::{Workflows, given};
use crate::inspect::{Search, read_export, split_exports};
use crate::model::{Recorded, RunId};
use crate::runtime::{Error, Runtime};

/// What `runlog check` may be told.
#[derive(clap::Args)]
#[command(
    after_help = "It is offered by a service's own binary, where the code is: see runlog::cli::Cli. Exit codes: 0 the \
                        code fits, 1 it does not."
)]
pub(super) struct Arguments {
    /// Which runs: ids
    #[arg(value_name = "RUN")]
    runs: Vec<RunId>,
    /// Runs that fit a filter, besides
    #[arg(long = "match", value_name = "FILTER")]
    matching: Option<String>,
    /// Histories that `runlog export` wrote, besides; needs no database
    #[arg(long, value_name = "FILE")]
    file: Vec<String>,
}

/// Runs of one page.
const PAGE: u32 = 500;

/// Plays histories against the workflows at hand.
pub(super) async fn run(arguments: Arguments, workflows: &Workflows, options: &Options) -> Done {
    if workflows.is_empty() {
        return Err(Failure::Usage(
            "no workflow's code is at hand: offer this command from your own binary".to_owned(),
        ));
    }
    let mut screen = Screen::new(options);
    let mut fits = true;
    let files: Vec<String> = arguments.file.iter().map(|file| given::file(file)).collect::<Result<_, _>>()?;
    if !files.is_empty() {
        let exported = files.iter().flat_map(|text| split_exports(text)).map(read_export);
        let exported =
            exported.collect::<Result<Vec<_>, _>>().map_err(|error| Failure::Usage(error.to_string()))?;
        let histories: Vec<(RunId, Vec<Recorded>)> =
            exported.into_iter().map(|exported| (exported.state.id, exported.log)).collect();
        let report = workflows
            .check()
            .histories(histories)
            .await
            .map_err(|error| Failure::Other(error.to_string()))?;
        fits &= report.is_ok();
        report.to_string().lines().try_for_each(|line| screen.line(plain(line)))?;
    }
    if !arguments.runs.is_empty() || arguments.matching.is_some() {
        let (pool, place) = pool(options)?;
        let runtime = open(workflows.serve(Runtime::builder(pool.clone())), &place).await?;
        let mut runs = arguments.runs;
        if let Some(filter) = &arguments.matching {
            runs.extend(found(&runtime, filter, options, &place).await?);
        }
        let report = runtime.check(&runs).await.map_err(|error| refused(&place, error))?;
        fits &= report.is_ok();
        report.to_string().lines().try_for_each(|line| screen.line(plain(line)))?;
        pool.close().await;
    } else if files.is_empty() {
        return Err(Failure::Usage("nothing to check: give runs, --match or --file".to_owned()));
    }
    Ok(if fits { Exit::Fine } else { Exit::Error })
}

async fn found(
    runtime: &Runtime,
    filter: &str,
    options: &Options,
    place: &str,
) -> Result<Vec<RunId>, Failure> {
    let parsed =
        filter.parse().map_err(|error: crate::model::FilterError| Failure::Usage(error.to_string()))?;
    let mut search = Search::new(parsed).limit(PAGE);
    if let Some(namespace) = &options.namespace {
        search = search.namespace(namespace.clone());
    }
    let mut runs = Vec::new();
    let mut page = runtime.list(&search).await.map_err(|error| refused(place, error))?;
    loop {
        runs.extend(page.data.iter().map(|run| run.run));
        let Some(next) = page.next else { return Ok(runs) };
        page = runtime.list(&search.clone().cursor(next)).await.map_err(|error| refused(place, error))?;
    }
}

async fn open(builder: crate::runtime::RuntimeBuilder, place: &str) -> Result<Runtime, Failure> {
    let runtime = builder.client().migrate(false).node_name("cli").start().await;
    runtime.map_err(|error| refused(place, error))
}

fn refused(place: &str, error: Error) -> Failure {
    match error {
        Error::Store(error) => failed(place, &error),
        Error::NotFound { run } => Failure::NotFound(format!("there is no run {run}")),
        error => Failure::Usage(error.to_string()),
    }
}
