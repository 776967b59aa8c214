//! `runlog demo`: a run fails, says why, and goes on in a replay once the cause is repaired.

mod database;
mod shop;
mod stage;

use std::error::Error;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use self::shop::{Order, Shop};
use self::stage::Stages;
use super::print::{Printer, Style};
use crate::inspect::RunView;
use crate::model::TaskName;
use crate::runtime::{ReplayOptions, RunHandle, Runtime};

/// What `runlog demo` may be told.
#[derive(clap::Args, Default)]
pub(super) struct Arguments {
    /// Asks nothing, checks every stage, and exits with 1 unless all came out as told
    #[arg(long)]
    script: bool,
}

/// How long a run of the demo may take: far more than it needs.
const RUN_MAX: Duration = Duration::from_secs(60);

/// Shows the demo on a database: the one that is given, else `DATABASE_URL`'s, else a private server's.
pub(super) async fn run(
    arguments: Arguments,
    database_url: Option<String>,
) -> Result<ExitCode, Box<dyn Error>> {
    let mut printer = Printer::new();
    let mut stages = Stages::default();

    let (database, pool) = database::open(&mut printer, database_url).await?;
    let shop = Shop::default();
    let checkout = shop::checkout(shop.clone());
    let runtime = Runtime::builder(pool).workflow(checkout.clone()).node_name("demo").start().await?;
    printer.line("schema     migrated: everything is in the database's schema `runlog`")?;

    title(&mut printer, "1. A customer orders a lamp. Nobody knows yet that the payment service is down.")?;
    let order = Order { number: 42, item: "lamp".to_owned(), cents: 4_900 };
    let first = runtime.run(&checkout, order).metadata([("order", "42")]).start().await?;
    let failed = ended(&first).await?;
    printer.failure(&failed)?;
    stages.check_failed(&failed);

    title(&mut printer, "2. The payment service is repaired.")?;
    if !arguments.script && io::stdin().is_terminal() {
        printer.ask("press Enter to repair it ")?;
        tokio::task::spawn_blocking(|| io::stdin().read_line(&mut String::new())).await??;
    }
    shop.repair();
    printer.line("it answers again")?;

    title(&mut printer, "3. The run is replayed: a new run that goes on where the old one failed.")?;
    let replayed = first.replay(ReplayOptions::default().by("demo").reason("payments repaired")).await?;
    let second = &replayed.run;
    let succeeded = ended(second).await?;
    printer.run(&succeeded)?;
    printer.line(format!("\n{}", counted(&replayed.plan.reused, shop.reserved())))?;
    stages.check_replayed(&succeeded, first.id(), shop.reserved());

    title(&mut printer, "4. Its log: what happened, in order. Everything above was read from such a log.")?;
    let log = runtime.events(second.id(), 0, 1_000).await?;
    printer.log(&log)?;
    stages.check_log(&log, &succeeded);

    runtime.shutdown(Duration::from_secs(5)).await?;
    database.stop().await?;
    what_next(&mut printer)?;
    Ok(verdict(&stages, arguments.script))
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

fn title(printer: &mut Printer, text: &str) -> io::Result<()> {
    let text = printer.paint(Style::Strong, text);
    printer.line(format!("\n{text}"))
}

fn what_next(printer: &mut Printer) -> io::Result<()> {
    title(printer, "What to try next")?;
    printer.line("  cargo run --example quickstart                        a durable function in 35 lines")?;
    printer.line(
        "  cargo run --example checkout                          a workflow like this one, all of its code",
    )?;
    printer.line("  scripts/ingest FOLDER                                 thousands of runs; kill it with -9, start it again")?;
    printer.line("  docs/GUIDE.md                                         everything a workflow can do")
}

/// With `--script`, exits with 1 and says what differed; a person has seen it.
fn verdict(stages: &Stages, script: bool) -> ExitCode {
    if !script || stages.wrong().is_empty() {
        return ExitCode::SUCCESS;
    }
    stages.wrong().iter().for_each(|wrong| eprintln!("runlog demo: {wrong}"));
    ExitCode::FAILURE
}
