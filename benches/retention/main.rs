//! What runs feel of a retention pass, and what it gives back.
//!
//! `cargo bench --bench retention -- [--quick] [--runs 1000000] [--rate 200] [--slices 5] [--seconds 30] [--share 0.1]`
//!
//! Fills a private database with old runs that have ended, five events each, starts runs at a steady pace, and archives the
//! old ones: at first slice by slice, each sized to take about as long as the quiet phase before it, then the rest without
//! a rest. Prints how long the new runs took from start to finish in each phase, the 95th of 100 of each slice against its
//! quiet phase's, the log's size before and after, and how fast lists find what is archived.

#![expect(
    unreachable_pub,
    reason = "a program has no public items; `pub` says what a module gives to the others"
)]

#[path = "../inspect/population.rs"]
mod population;
#[path = "../inspect/steps.rs"]
mod steps;
#[path = "../inspect/times.rs"]
mod times;
mod load;
mod lists;

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use load::{Load, Sample};
use population::Population;
use runlog::testing::postgres::{Durability, Server};
use runlog::{RetentionPolicy, Runtime};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::time::Instant;

/// What the command line asks for.
pub struct Settings {
    /// Old runs.
    runs: u32,
    /// New runs a second.
    rate: u32,
    /// Passes that are measured against a quiet phase.
    slices: u32,
    /// How long a quiet phase is.
    quiet: Duration,
    /// How much of the time a pass is at work.
    share: f64,
}

/// The old runs: their months are over before the month before this one begins, whatever the day.
const DAYS: u32 = 60;
const AGO_DAYS: u32 = 75;
const EVENTS: u32 = 5;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// What a pass that never rests archived on two cores, to size the slices by.
const ARCHIVED_PER_SECOND: f64 = 5_500.0;

/// How much longer 95 of 100 runs may take while others are archived.
const RATIO_AIM: f64 = 1.10;

/// How long the load runs before it is measured.
const WARM_UP: Duration = Duration::from_secs(2);

impl Settings {
    fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Settings> {
        let mut settings =
            Settings { runs: 1_000_000, rate: 200, slices: 5, quiet: Duration::from_secs(30), share: 0.1 };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                // What cargo itself passes on.
                "--bench" => {}
                "--quick" => {
                    (settings.runs, settings.slices, settings.quiet) = (20_000, 3, Duration::from_secs(4));
                }
                "--runs" => settings.runs = value()?.parse()?,
                "--rate" => settings.rate = value()?.parse()?,
                "--slices" => settings.slices = value()?.parse()?,
                "--seconds" => settings.quiet = Duration::from_secs_f64(value()?.parse()?),
                "--share" => settings.share = value()?.parse()?,
                unknown => {
                    bail!("{unknown} is unknown: --quick, --runs, --rate, --slices, --seconds, --share")
                }
            }
        }
        ensure!(settings.rate > 0 && settings.slices > 0, "--rate and --slices are at least 1");
        Ok(settings)
    }
}

fn main() -> anyhow::Result<()> {
    let settings = Settings::read(std::env::args().skip(1))?;
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    tokio.block_on(run(&settings))
}

async fn run(settings: &Settings) -> anyhow::Result<()> {
    let server = Server::temporary(Durability::Durable).await?;
    let pool = PgPoolOptions::new().max_connections(8).connect(&server.url("postgres")).await?;
    let runtime = load::serve(&pool, settings.share).await?;
    let begun = Instant::now();
    let population =
        Population { runs: settings.runs, events: EVENTS, days: DAYS, ago_days: AGO_DAYS, live: false };
    population::fill(&pool, &population).await?;
    sqlx::raw_sql("checkpoint").execute(&pool).await?;
    println!("{} old runs of {EVENTS} events, made in {:.0?}", settings.runs, begun.elapsed());
    let before = Sizes::read(&pool).await?;
    let measured = measure(&runtime, &pool, settings).await;
    let after = Sizes::read(&pool).await?;
    println!(
        "log of the old months: {} before, {} after; archive: {}",
        mb(before.log),
        mb(after.log),
        mb(after.archive)
    );
    let listed = lists::ask_all(&runtime).await;
    runtime.shutdown(Duration::from_secs(1)).await?;
    pool.close().await;
    server.stop().await?;
    measured.and(listed)
}

/// Archives the old runs beside a steady load, the oldest first: measured slices at first, then the rest.
async fn measure(runtime: &Runtime, pool: &PgPool, settings: &Settings) -> anyhow::Result<()> {
    println!("{} new runs/s, archived beside them for {} of the time\n{HEAD}", settings.rate, settings.share);
    let load = Load::begin(runtime, settings.rate);
    tokio::time::sleep(WARM_UP).await;
    let (mut ratios, mut archived) = (Vec::new(), 0);
    let slice = settings.slice();
    for nth in 1..=settings.slices {
        let begun = load.clear();
        tokio::time::sleep(settings.quiet).await;
        let quiet = print("quiet", &load.take(), begun.elapsed(), 0);
        archived += pass(runtime, settings.young_after(slice * nth), &load, "archiving", &mut |p95| {
            ratios.push(p95 / quiet);
        })
        .await?;
    }
    let whole = load::client(pool).await?;
    // The months of the last runs are over for this policy only.
    archived += pass(&whole, DAY * (AGO_DAYS - 31), &load, "the rest", &mut |_| {}).await?;
    whole.shutdown(Duration::from_secs(1)).await?;
    ensure!(archived == u64::from(settings.runs), "{archived} of {} runs were archived", settings.runs);
    let listed = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect::<Vec<_>>().join(", ");
    let ratio = median(&mut ratios);
    let verdict = if ratio > RATIO_AIM { " MISSED" } else { "" };
    println!("p95 archiving / quiet: {listed}; median {ratio:.2} (aim <= {RATIO_AIM:.2}){verdict}");
    Ok(())
}

impl Settings {
    /// Runs of a measured pass: what it archives in a quiet phase's time.
    fn slice(&self) -> u32 {
        let in_time = self.quiet.as_secs_f64() * self.share * ARCHIVED_PER_SECOND;
        (in_time as u32).clamp(1, self.runs / self.slices)
    }

    /// How long ago the run after the first `runs` of them ended, and a little.
    fn young_after(&self, runs: u32) -> Duration {
        DAY * (AGO_DAYS + DAYS) - (DAY * DAYS).mul_f64(f64::from(runs) / f64::from(self.runs))
    }
}

/// Archives what ended so long ago; returns how many runs that were.
async fn pass(
    runtime: &Runtime,
    after: Duration,
    load: &Load,
    name: &str,
    told: &mut dyn FnMut(f64),
) -> anyhow::Result<u64> {
    runtime.set_retention(RetentionPolicy::default().archive_after(after)).await?;
    let begun = load.clear();
    let done = runtime.prune_now().await?;
    told(print(name, &load.take(), begun.elapsed(), done.archived));
    Ok(done.archived)
}

const HEAD: &str = "phase          s     runs   p50 ms   p95 ms   p99 ms   archived       /s";

/// Tells what a phase came to; returns the 95th of 100.
fn print(phase: &str, sample: &Sample, took: Duration, archived: u64) -> f64 {
    let [p50, p95, p99] = [50, 95, 99].map(|percent| sample.percentile_ms(percent));
    let (seconds, runs) = (took.as_secs_f64(), sample.runs());
    let rate = archived as f64 / seconds;
    let late = if sample.late > 0 { format!("  {} not started", sample.late) } else { String::new() };
    println!(
        "{phase:<10} {seconds:>5.1} {runs:>8} {p50:>8.2} {p95:>8.2} {p99:>8.2} {archived:>10} {rate:>8.0}{late}"
    );
    p95
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Bytes on disk, with indexes; of the log the months that are over, where no new run is.
struct Sizes {
    log: i64,
    archive: i64,
}

impl Sizes {
    async fn read(pool: &PgPool) -> anyhow::Result<Sizes> {
        let sizes = "select coalesce(sum(pg_total_relation_size(c.oid)) filter (where c.relname in (
                                select partition from runlog.months_before(date_trunc('month', now())))), 0)::int8,
                            coalesce(sum(pg_total_relation_size(c.oid)) filter (where c.relname ~ '^archived_'), 0)::int8
                     from pg_class c where c.relnamespace = 'runlog'::regnamespace and c.relkind = 'r'";
        let (log, archive) = sqlx::query_as(sizes).fetch_one(pool).await?;
        Ok(Sizes { log, archive })
    }
}

fn mb(bytes: i64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
