//! `runlog demo`: a run fails, says why, and goes on in a replay once the cause is repaired.
//!
//! What it shows of runs are the command's own verbs, as a person would type them.

mod database;
mod shop;
mod pages;
mod load;
mod stage;

use std::error::Error;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use self::load::Beside;
use self::pages::Pages;
use self::shop::{ASKS, CHARGE_ATTEMPTS, Order, Shop};
use self::stage::Stages;
use super::client::{Client, Local};
use super::options::{Options, Output, Place};
use super::serve::{EXPORTS, exported, exporting, stop_signals};
use super::show::{Screen, Style};
use super::verbs::Desk;
use super::{Workflows, dispatch};
use crate::inspect::RunView;
use crate::model::{RunId, TaskName};
use crate::runtime::{ReplayOptions, RunHandle, Runtime};
use crate::store::{LogLine, LogQuery};
use crate::testing::postgres::Started;

/// What `runlog demo` may be told.
#[derive(clap::Args, Default)]
pub(super) struct Arguments {
    /// Asks nothing, checks every stage, and exits with 1 unless all came out as told
    #[arg(long)]
    script: bool,
    /// Fills the database with so many runs to look around in, and one of 5,000 events, and shows them until it is stopped
    #[arg(long, value_name = "RUNS", conflicts_with = "script", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    load: Option<u32>,
}

/// How long a run of the demo may take: far more than it needs.
const RUN_MAX: Duration = Duration::from_secs(60);

/// Shows the demo on a database: the one that is given, else `DATABASE_URL`'s, else a private server's.
pub(super) async fn run(arguments: Arguments, options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let mut screen = Screen::new(options);
    let mut stages = Stages::default();
    let export = exported(|name| std::env::var(name).ok())?;
    let exports = export.is_some();

    let (database, pool) = database::open(&mut screen, options.database_url.as_deref()).await?;
    let shop = Shop::default();
    let checkout = shop::checkout(shop.clone());
    let beside = Beside::new();
    let builder = Runtime::builder(pool).workflow(checkout.clone()).node_name("demo");
    let builder = if arguments.load.is_some() { beside.served(builder) } else { builder };
    let runtime = exporting(builder, export).start().await?;
    screen.line("schema     migrated: everything is in the database's schema `runlog`")?;
    if exports {
        screen.line(EXPORTS)?;
    }
    let redaction = options.redaction()?;
    let local = Local { workflows: Workflows::default(), namespace: None, redaction: redaction.clone() };
    let client = Client::open(Place::Database { url: database.url().to_owned() }, local).await?;
    let mut desk = Desk { client, screen, output: Output::Text };
    let pages = pages::open(&runtime, redaction).await?;
    desk.screen.line(format!("dashboard  {}", pages.url("/")))?;
    if let Some(count) = arguments.load {
        let stop = stop_signals()?;
        tokio::pin!(stop);
        tokio::select! {
            filled = beside.fill(&runtime, &checkout, &shop, &mut desk, count) => {
                filled?;
                desk.screen.line(format!("ready      {}  Ctrl-C stops it", pages.url("/")))?;
                stop.await;
            }
            () = &mut stop => {}
        }
        return closed(pages, desk, runtime, database).await.map(|()| ExitCode::SUCCESS);
    }

    title(&mut desk, "1. A customer orders a lamp. Nobody knows yet that the payment service is down.")?;
    let order = Order { number: 42, item: "lamp".to_owned(), cents: 4_900 };
    let first = runtime.run(&checkout, order).metadata([("order", "42")]).start().await?;
    let failed = ended(&first).await?;
    let lines = written(&runtime, first.id()).await?;
    shown(&mut desk, &["why", &first.id().to_string()]).await?;
    desk.screen.line("")?;
    shown(&mut desk, &["logs", &first.id().to_string()]).await?;
    stages.check_failed(&failed, &lines);
    let page = format!("/runs/{}?tour=1", first.id());
    stages.check_page(&pages.text(&page).await?);
    desk.screen.line(format!("\nThe same in a browser: {}", pages.url(&page)))?;

    title(&mut desk, "2. The payment service is repaired.")?;
    if !arguments.script && io::stdin().is_terminal() {
        desk.screen.ask("press Enter to repair it ")?;
        tokio::task::spawn_blocking(|| io::stdin().read_line(&mut String::new())).await??;
    }
    shop.repair();
    desk.screen.line("it answers again")?;

    title(&mut desk, "3. The run is replayed: a new run that goes on where the old one failed.")?;
    let replayed = first.replay(ReplayOptions::default().by("demo").reason("payments repaired")).await?;
    let second = &replayed.run;
    let succeeded = ended(second).await?;
    shown(&mut desk, &["get", &second.id().to_string()]).await?;
    desk.screen.line(format!("\n{}", counted(&replayed.plan.reused, shop.reserved())))?;
    stages.check_replayed(&succeeded, first.id(), shop.reserved());

    title(&mut desk, "4. Its log: what happened, in order. Everything above was read from such a log.")?;
    shown(&mut desk, &["events", &second.id().to_string()]).await?;
    stages.check_log(&runtime.events(second.id(), 0, 1_000).await?, &succeeded);

    what_next(&mut desk)?;
    if !arguments.script && io::stdin().is_terminal() {
        let page = pages.url(&format!("/runs/{}", second.id()));
        desk.screen.ask(&format!("\nLook around at {page}, then press Enter to end the demo "))?;
        tokio::task::spawn_blocking(|| io::stdin().read_line(&mut String::new())).await??;
    }
    closed(pages, desk, runtime, database).await?;
    Ok(verdict(&stages, arguments.script))
}

/// Stops everything that the demo started.
async fn closed(pages: Pages, desk: Desk, runtime: Runtime, database: Started) -> Result<(), Box<dyn Error>> {
    pages.close();
    desk.client.close().await;
    runtime.shutdown(Duration::from_secs(5)).await?;
    Ok(database.stop().await?)
}

/// Does what a person would type, below what that is.
async fn shown(desk: &mut Desk, words: &[&str]) -> Result<(), Box<dyn Error>> {
    let typed = format!("$ runlog {}", words.join(" "));
    desk.screen.line(desk.screen.paint(Style::Faint, typed))?;
    let parsed = super::Arguments::try_parse_from(std::iter::once("runlog").chain(words.iter().copied()))?;
    if let Some(verb) = parsed.verb {
        dispatch(desk, verb).await?;
    }
    Ok(())
}

/// Waits until what the attempts at the payment said is kept: lines are written beside the log, some moments late.
async fn written(runtime: &Runtime, run: RunId) -> Result<Vec<LogLine>, Box<dyn Error>> {
    let mut tail = runtime.follow_logs(run, LogQuery::default());
    let mut lines: Vec<LogLine> = Vec::new();
    let attempts = |lines: &[LogLine]| lines.iter().filter(|line| line.line.message.contains(ASKS)).count();
    while attempts(&lines) < CHARGE_ATTEMPTS as usize {
        let Some(line) = tail.next().await else { break };
        lines.push(line?);
    }
    Ok(lines)
}

/// Says what did not run again.
fn counted(reused: &[TaskName], reserved: u32) -> String {
    let reused: Vec<&str> = reused.iter().map(TaskName::as_str).collect();
    let times = if reserved == 1 { "once".to_owned() } else { format!("{reserved} times") };
    format!("  {} did not run again: in both runs together, stock was reserved {times}", reused.join(" and "))
}

/// Waits for a run's end, however it ends.
async fn ended<O>(run: &RunHandle<O>) -> Result<RunView, Box<dyn Error>> {
    let late = |_| format!("run {} did not end within {} s: please report it", run.id(), RUN_MAX.as_secs());
    tokio::time::timeout(RUN_MAX, run.wait()).await.map_err(late)??;
    Ok(run.get().await?)
}

fn title(desk: &mut Desk, text: &str) -> io::Result<()> {
    let text = desk.screen.paint(Style::Strong, text);
    desk.screen.line(format!("\n{text}"))
}

fn what_next(desk: &mut Desk) -> io::Result<()> {
    title(desk, "What to try next")?;
    desk.screen
        .line("  cargo run --example quickstart                        a durable function in 35 lines")?;
    desk.screen.line(
        "  cargo run --example checkout                          a workflow like this one, all of its code",
    )?;
    desk.screen.line("  scripts/ingest FOLDER                                 thousands of runs; kill it with -9, start it again")?;
    desk.screen.line("  docs/GUIDE.md                                         everything a workflow can do")
}

/// With `--script`, exits with 1 and says what differed; a person has seen it.
fn verdict(stages: &Stages, script: bool) -> ExitCode {
    if !script || stages.wrong().is_empty() {
        return ExitCode::SUCCESS;
    }
    stages.wrong().iter().for_each(|wrong| eprintln!("runlog demo: {wrong}"));
    ExitCode::FAILURE
}
