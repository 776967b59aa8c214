//! What the engine does per second on this machine, beside what the same Postgres does without it.
//!
//! `cargo bench --bench throughput -- [--quick] [--only W1] [--in-flight 256] [--rounds 5] [--seconds 3] [--live 10000]
//! [--parked 1000000]`
//!
//! Every round measures each workload three times, one after the other: by the engine, by *limit* (a bare journal that sends
//! the same rows) and by *raw* (a commit per event). What is printed are medians over the rounds. The server is private, of
//! this run only, with Postgres' own durability. The ids of the workloads are W1 to W5, and P5 (memory), P6 (ten thousand
//! runs in flight at a kill) and P8 (an idle node); `--only P5` measures P8, too. `--only export` measures what an export costs,
//! to a receiver in this process that throws everything away, and nothing else; without `--only` it is measured last.
//! `--only limits` measures what limits of concurrency by key cost.

#![expect(
    unreachable_pub,
    reason = "a program has no public items; `pub` says what a module gives to the others"
)]

mod workloads;
mod limit;
mod raw;
mod kill;
mod rest;
mod export;
mod limits;
mod orders;
mod meter;
mod server;
mod cells;
mod report;

use std::time::Duration;

use anyhow::{Context, bail};

use self::server::Bench;

/// What the command line asks for.
pub struct Settings {
    /// Only this workload.
    only: Option<String>,
    /// Only this many runs in flight, for W1.
    in_flight: Option<usize>,
    rounds: usize,
    window: Duration,
    /// Runs of one bulk start.
    bulk: usize,
    /// Runs in memory, for P5.
    live: usize,
    /// Runs parked, for P5.
    parked: usize,
    /// Whether everything that takes long is left out.
    quick: bool,
}

impl Settings {
    fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Settings> {
        let mut settings = Settings {
            only: None,
            in_flight: None,
            rounds: 5,
            window: Duration::from_secs(3),
            bulk: 10_000,
            live: 10_000,
            parked: 20_000,
            quick: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                // What cargo itself passes on.
                "--bench" => {}
                "--quick" => {
                    (settings.rounds, settings.window, settings.quick) = (1, Duration::from_secs(1), true);
                }
                "--only" => settings.only = Some(value()?.to_uppercase()),
                "--in-flight" => settings.in_flight = Some(value()?.parse()?),
                "--rounds" => settings.rounds = value()?.parse()?,
                "--seconds" => settings.window = Duration::from_secs_f64(value()?.parse()?),
                "--live" => settings.live = value()?.parse()?,
                "--parked" => settings.parked = value()?.parse()?,
                unknown => bail!("{unknown} is unknown, see the head of benches/throughput/main.rs"),
            }
        }
        Ok(settings)
    }

    /// Says whether `workload` is asked for.
    pub fn wants(&self, workload: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == workload)
    }
}

fn main() -> anyhow::Result<()> {
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(orders) = orders::Orders::read() {
        return tokio.block_on(orders.follow());
    }
    let settings = Settings::read(std::env::args().skip(1))?;
    tokio.block_on(run(&settings))
}

async fn run(settings: &Settings) -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    println!("{}", bench.describe(settings).await?);
    let stage = cells::Stage::set(&bench, settings).await?;
    let mut report = report::Report::default();
    let measured = rounds(&bench, &stage, settings, &mut report).await;
    print!("{report}");
    measured?;
    stage.leave().await?;
    bench.stop().await
}

async fn rounds(
    bench: &Bench,
    stage: &cells::Stage<'_>,
    settings: &Settings,
    report: &mut report::Report,
) -> anyhow::Result<()> {
    for round in 1..=settings.rounds {
        eprintln!("round {round} of {}", settings.rounds);
        stage.round(report).await?;
        if settings.wants("EXPORT") {
            stage.export(round, report).await?;
        }
        if settings.wants("LIMITS") {
            let (runs, alone) = if settings.quick { (2_000, 50) } else { (20_000, 200) };
            report.add_limits(limits::measure(bench, runs, alone).await?);
        }
        if settings.wants("W5") {
            report.add_kill("W5", kill::measure(bench, 1_000).await?);
        }
        if settings.wants("P6") && !settings.quick {
            report.add_kill("P6", kill::measure(bench, 10_000).await?);
        }
    }
    if settings.wants("P5") || settings.wants("P8") {
        report.set_rest(rest::measure(bench, settings).await?);
    }
    Ok(())
}
