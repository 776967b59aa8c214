//! How long questions about many runs take, beside their aims.
//!
//! `cargo bench --bench inspect -- [--quick] [--layouts] [--runs 1000000] [--rounds 40]`
//!
//! Fills a private database with runs and ten events each, asks every question over and over, its first page and its 200th,
//! on an idle machine and while the engine works, and prints the median and the 95th of 100. Last come the layouts of
//! graphs, which ask no database; `--layouts` prints them alone.

#![expect(
    unreachable_pub,
    reason = "a program has no public items; `pub` says what a module gives to the others"
)]

mod population;
mod steps;
mod times;
mod questions;
mod load;
mod pictures;

use anyhow::{Context, bail};
use population::Population;
use runlog::Runtime;
use runlog::testing::postgres::{Durability, Server};
use sqlx::postgres::PgPoolOptions;
use tokio::time::Instant;

/// What the command line asks for.
pub struct Settings {
    /// Runs in the database.
    pub runs: u32,
    /// How often each question is asked.
    pub rounds: usize,
    /// Whether only graphs are laid out, without a database.
    pub layouts_only: bool,
}

impl Settings {
    fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Settings> {
        let mut settings = Settings { runs: 1_000_000, rounds: 40, layouts_only: false };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                // What cargo itself passes on.
                "--bench" => {}
                "--quick" => (settings.runs, settings.rounds) = (50_000, 20),
                "--layouts" => settings.layouts_only = true,
                "--runs" => settings.runs = value()?.parse()?,
                "--rounds" => settings.rounds = value()?.parse()?,
                unknown => bail!("{unknown} is unknown: --quick, --layouts, --runs, --rounds"),
            }
        }
        Ok(settings)
    }
}

fn main() -> anyhow::Result<()> {
    let settings = Settings::read(std::env::args().skip(1))?;
    if settings.layouts_only {
        pictures::lay_out(settings.rounds);
        return Ok(());
    }
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    tokio.block_on(run(&settings))
}

async fn run(settings: &Settings) -> anyhow::Result<()> {
    let server = Server::temporary(Durability::Durable).await?;
    let pool = PgPoolOptions::new().max_connections(8).connect(&server.url("postgres")).await?;
    let runtime = load::serve(&pool).await?;
    let long = load::long_run(&runtime).await?;
    let begun = Instant::now();
    let population = Population { runs: settings.runs, events: 10, days: 30, ago_days: 0, live: true };
    population::fill(&pool, &population).await?;
    let events: i64 = sqlx::query_scalar("select count(*) from runlog.events").fetch_one(&pool).await?;
    println!("{} runs, {events} events, made in {:.0?}", settings.runs, begun.elapsed());
    let measured = measure(&runtime, settings, long).await;
    runtime.shutdown(std::time::Duration::from_secs(1)).await?;
    pool.close().await;
    server.stop().await?;
    pictures::lay_out(settings.rounds);
    measured
}

async fn measure(runtime: &Runtime, settings: &Settings, long: runlog::RunId) -> anyhow::Result<()> {
    println!("\nidle\n{}", questions::HEAD);
    questions::ask_all(runtime, settings, long).await?;
    println!("\nwhile the engine works\n{}", questions::HEAD);
    let load = load::Load::begin(runtime);
    let asked = questions::ask_all(runtime, settings, long).await;
    println!("the engine finished {:.0} runs/s meanwhile", load.end().await);
    asked
}
