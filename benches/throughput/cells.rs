//! What is measured: each workload by each of the three.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use runlog::Runtime;
use sqlx::AssertSqlSafe;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::limit::{Bulk, Journal, Template};
use super::meter::Meter;
use super::raw::Raw;
use super::report::{Cell, Report, Source};
use super::server::Bench;
use super::workloads::{self, Kind};
use super::{Settings, export};

/// The three, on one server.
pub struct Stage<'bench> {
    bench: &'bench Bench,
    settings: &'bench Settings,
    runtime: Runtime,
    journal: Journal,
    raw: Raw,
    templates: BTreeMap<Kind, Template>,
    /// The log of a run that waited in the queue first.
    queued: Template,
}

/// Runs a second at most, for what *limit* makes beforehand.
const RUNS_PER_S_MAX: usize = 25_000;

impl<'bench> Stage<'bench> {
    pub async fn set(bench: &'bench Bench, settings: &'bench Settings) -> anyhow::Result<Stage<'bench>> {
        let builder = Runtime::builder(bench.pool.clone()).node_name("engine");
        let serve = |builder: runlog::RuntimeBuilder, kind: &Kind| builder.workflow(kind.workflow());
        let runtime = Kind::ALL.iter().fold(builder, serve).start().await?;
        let mut templates = BTreeMap::new();
        for kind in Kind::ALL {
            let run = runtime.run(&kind.workflow(), 12_345).start().await?;
            run.output().await?;
            templates.insert(kind, Template::of(kind.name(), &runtime.events(run.id(), 0, 1_000).await?)?);
        }
        let one = runtime.start_many(vec![runtime.run(&Kind::One.workflow(), 12_345)]).await?;
        let one = &one.first().context("nothing was started")?.run;
        one.output().await?;
        let queued = Template::of(Kind::One.name(), &runtime.events(one.id(), 0, 1_000).await?)?;
        let journal = Journal::join(bench.pool.clone()).await?;
        let raw = Raw::open(&bench.url(), journal.clone()).await?;
        Ok(Stage { bench, settings, runtime, journal, raw, templates, queued })
    }

    /// Measures everything once.
    pub async fn round(&self, report: &mut Report) -> anyhow::Result<()> {
        if self.settings.wants("W1") {
            for kind in [Kind::Five, Kind::Diamond] {
                for in_flight in [1, 16, 256, 4_096] {
                    if self.settings.in_flight.is_none_or(|only| only == in_flight) {
                        let cell = Cell { workload: "W1", kind, in_flight };
                        self.measure(cell, Duration::ZERO, self.template(kind)?.events(), report).await?;
                    }
                }
            }
        }
        if self.settings.wants("W2") {
            let cell = Cell { workload: "W2", kind: Kind::Twenty, in_flight: 1 };
            self.measure(cell, Duration::ZERO, Kind::Twenty.steps(), report).await?;
        }
        if self.settings.wants("W3") {
            let cell = Cell { workload: "W3", kind: Kind::One, in_flight: 1 };
            // Without a library a run of one step is three commits: it began, the step is done, it ended.
            self.measure(cell, Duration::from_millis(20), 3, report).await?;
        }
        if self.settings.wants("W4") {
            report.add_bulk(Source::Engine, self.bulk().await?);
            report.add_bulk(Source::Limit, self.journal.bulk(&self.queued, self.settings.bulk).await?);
        }
        Ok(())
    }

    /// Measures the export once; every round in another order.
    pub async fn export(&self, round: usize, report: &mut Report) -> anyhow::Result<()> {
        for in_flight in [16, 256] {
            if self.settings.in_flight.is_none_or(|only| only == in_flight) {
                let measured = export::measure(self.bench, in_flight, self.settings.window, round);
                measured.await?.into_iter().for_each(|measured| report.add_export(measured));
            }
        }
        Ok(())
    }

    fn template(&self, kind: Kind) -> anyhow::Result<&Template> {
        self.templates.get(&kind).context("a workload without a template")
    }

    async fn measure(
        &self,
        cell: Cell,
        pause: Duration,
        raw_events: usize,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let expected = self.settings.window.as_secs_f64() * 1.4 * RUNS_PER_S_MAX as f64;
        let expected = if cell.in_flight < 16 { 0 } else { expected as usize };
        for source in Source::ALL {
            let meter = Arc::new(Meter::default());
            let since = self.journal.new_run_id().uuid();
            let mut drivers = match source {
                Source::Engine => {
                    workloads::keep_in_flight(&self.runtime, cell.kind, cell.in_flight, pause, &meter)
                }
                Source::Limit => {
                    let template = self.template(cell.kind)?;
                    self.journal.keep_in_flight(template, cell.in_flight, pause, expected, &meter)
                }
                Source::Raw => self.raw.keep_in_flight(raw_events, cell.in_flight, pause, &meter),
            };
            let mut sample = meter.measure(self.bench, self.settings.window).await?;
            finish(&mut drivers).await?;
            sample.rows = match source {
                Source::Engine | Source::Limit => self.rows_per_run(since).await?,
                Source::Raw => raw_events as f64,
            };
            report.add(cell, source, sample);
        }
        Ok(())
    }

    async fn rows_per_run(&self, since: uuid::Uuid) -> anyhow::Result<f64> {
        let count = "select (select count(*) from runlog.events where run_id >= $1)::float8
                          / greatest((select count(*) from runlog.runs where id >= $1), 1) + 1";
        Ok(sqlx::query_scalar(count).bind(since).fetch_one(&self.bench.pool).await?)
    }

    /// Starts many runs at once and waits until all are finished.
    async fn bulk(&self) -> anyhow::Result<Bulk> {
        let (runs, workflow) = (self.settings.bulk, Kind::One.workflow());
        let begun = Instant::now();
        let new = (0..runs).map(|input| self.runtime.run(&workflow, input as u64)).collect();
        let started = self.runtime.start_many(new).await?;
        let enqueued_per_s = runs as f64 / begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        let now: chrono::DateTime<chrono::Utc> =
            sqlx::query_scalar("select clock_timestamp()").fetch_one(&self.bench.pool).await?;
        while self.is_busy().await? {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let took = "select extract(epoch from max(finished_at) - $2)::float8, count(*) from runlog.runs
            where id = any($1) and status = 'SUCCEEDED'";
        let started: Vec<uuid::Uuid> = started.iter().map(|started| started.run.id().uuid()).collect();
        let (took, ended): (f64, i64) =
            sqlx::query_as(took).bind(started).bind(now).fetch_one(&self.bench.pool).await?;
        anyhow::ensure!(ended == runs as i64, "{ended} of {runs} runs ended in {:?}", begun.elapsed());
        Ok(Bulk { enqueued_per_s, drained_per_s: runs as f64 / took })
    }

    /// Asks the indexes of what is queued and of what is owned.
    async fn is_busy(&self) -> anyhow::Result<bool> {
        let busy = format!(
            "select exists (select from runlog.runs where workflow = '{0}' and version = '1' and wake_at is not null)
                 or exists (select from runlog.runs where owner is not null)",
            Kind::One.name()
        );
        Ok(sqlx::query_scalar(AssertSqlSafe(busy)).fetch_one(&self.bench.pool).await?)
    }

    pub async fn leave(self) -> anyhow::Result<()> {
        Ok(self.runtime.shutdown(Duration::from_secs(1)).await?)
    }
}

pub async fn finish(drivers: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    while let Some(ended) = drivers.join_next().await {
        ended??;
    }
    Ok(())
}
