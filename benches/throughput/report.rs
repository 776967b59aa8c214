//! What is printed: medians, and how they stand to the baselines and to what was aimed at.

use std::collections::BTreeMap;
use std::fmt;

use super::export::{By, Exported};
use super::kill::Killed;
use super::limit::Bulk;
use super::limits::{Keys, Limited};
use super::meter::Sample;
use super::rest::Rest;
use super::workloads::Kind;

/// One workload in one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    pub workload: &'static str,
    pub kind: Kind,
    pub in_flight: usize,
}

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// This crate.
    Engine,
    /// A bare journal.
    Limit,
    /// A commit per event.
    Raw,
}

impl Source {
    pub const ALL: [Source; 3] = [Source::Engine, Source::Limit, Source::Raw];

    fn name(self) -> &'static str {
        match self {
            Source::Engine => "engine",
            Source::Limit => "limit",
            Source::Raw => "raw",
        }
    }
}

/// Everything that was measured.
#[derive(Default)]
pub struct Report {
    samples: BTreeMap<(Cell, Source), Vec<Sample>>,
    bulks: BTreeMap<Source, Vec<Bulk>>,
    kills: BTreeMap<&'static str, Vec<Killed>>,
    exports: BTreeMap<usize, Vec<Exported>>,
    limits: BTreeMap<Keys, Vec<Limited>>,
    rest: Option<Rest>,
}

impl Report {
    pub fn add(&mut self, cell: Cell, source: Source, sample: Sample) {
        self.samples.entry((cell, source)).or_default().push(sample);
    }

    pub fn add_bulk(&mut self, source: Source, bulk: Bulk) {
        self.bulks.entry(source).or_default().push(bulk);
    }

    pub fn add_kill(&mut self, workload: &'static str, killed: Killed) {
        self.kills.entry(workload).or_default().push(killed);
    }

    pub fn add_export(&mut self, exported: Exported) {
        self.exports.entry(exported.in_flight).or_default().push(exported);
    }

    pub fn add_limits(&mut self, measured: Vec<Limited>) {
        for limited in measured {
            self.limits.entry(limited.keys).or_default().push(limited);
        }
    }

    pub fn set_rest(&mut self, rest: Rest) {
        self.rest = Some(rest);
    }

    /// Takes the median over the rounds, figure by figure.
    fn sample(&self, cell: Cell, source: Source) -> Sample {
        let samples = self.samples.get(&(cell, source)).map(Vec::as_slice).unwrap_or_default();
        let of = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
        Sample {
            runs_per_s: of(|sample| sample.runs_per_s),
            percentiles_ms: [
                of(|sample| sample.percentiles_ms[0]),
                of(|sample| sample.percentiles_ms[1]),
                of(|sample| sample.percentiles_ms[2]),
            ],
            transactions: of(|sample| sample.transactions),
            rows: of(|sample| sample.rows),
            wal_kb: of(|sample| sample.wal_kb),
            client_ms: of(|sample| sample.client_ms),
            server_ms: of(|sample| sample.server_ms),
        }
    }

    fn bulk(&self, source: Source) -> Bulk {
        let bulks = self.bulks.get(&source).map(Vec::as_slice).unwrap_or_default();
        let of = |figure: fn(&Bulk) -> f64| median(bulks.iter().map(figure).collect());
        Bulk { enqueued_per_s: of(|bulk| bulk.enqueued_per_s), drained_per_s: of(|bulk| bulk.drained_per_s) }
    }

    fn aims(&self, f: &mut fmt::Formatter<'_>, cell: Cell) -> fmt::Result {
        let of = |source| self.sample(cell, source);
        let (engine, limit, raw) = (of(Source::Engine), of(Source::Limit), of(Source::Raw));
        let [ours, ..] = engine.percentiles_ms;
        let [bare, ..] = limit.percentiles_ms;
        let [theirs, ..] = raw.percentiles_ms;
        match cell.workload {
            "W2" => {
                let steps = cell.kind.steps() as f64;
                let (ours, theirs) = (ours / steps, theirs / steps);
                writeln!(
                    f,
                    "   per step {ours:.3} ms = {:.2} × raw's {theirs:.3} (aim ≤ 1.30), {:.2} × limit's",
                    ours / theirs,
                    ours / (bare / steps)
                )
            }
            "W3" => writeln!(
                f,
                "   start → finish {ours:.2} ms = {:.2} × raw's {theirs:.2} (aim ≤ 1.20), {:.2} × limit's",
                ours / theirs,
                ours / bare
            ),
            _ => {
                let aimed = cell.in_flight == 256;
                let aim = |text: &'static str| if aimed { text } else { "" };
                let (rate, cpu) = (engine.runs_per_s, engine.cpu_ms());
                let (limit_rate, raw_rate) = (limit.runs_per_s, raw.runs_per_s);
                writeln!(
                    f,
                    "   {:.2} × limit{}, {:.2} × raw; cpu {cpu:.3} ms{}, {:.2} × limit; {:.2} tx{}, {:.1} kB{}",
                    rate / limit_rate,
                    aim(" (aim ≥ 0.60)"),
                    rate / raw_rate,
                    aim(" (aim ≤ 0.22)"),
                    cpu / limit.cpu_ms(),
                    engine.transactions,
                    aim(" (aim ≤ 0.3)"),
                    engine.wal_kb,
                    aim(" (aim ≤ 4.5)"),
                )
            }
        }
    }
}

const HEAD: &str = "workload              in flight         runs/s  steps/s   p50 ms   p95 ms   p99 ms  tx/run rows/run WAL kB  cpu ms  client  server";

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.samples.is_empty() {
            writeln!(f, "{HEAD}")?;
        }
        let cells: std::collections::BTreeSet<Cell> = self.samples.keys().map(|(cell, _)| *cell).collect();
        for cell in cells {
            for source in Source::ALL {
                line(f, cell, source, &self.sample(cell, source))?;
            }
            self.aims(f, cell)?;
        }
        if !self.bulks.is_empty() {
            let (engine, limit) = (self.bulk(Source::Engine), self.bulk(Source::Limit));
            writeln!(
                f,
                "W4 bulk of one-step runs: enqueued {:.0}/s (aim ≥ 40,000; limit {:.0}), drained {:.0}/s = {:.2} × limit's {:.0} (aim ≥ 0.50)",
                engine.enqueued_per_s,
                limit.enqueued_per_s,
                engine.drained_per_s,
                engine.drained_per_s / limit.drained_per_s,
                limit.drained_per_s
            )?;
        }
        for (workload, kills) in self.kills.iter().rev() {
            killed(f, workload, kills)?;
        }
        for (in_flight, exports) in &self.exports {
            exported(f, *in_flight, exports)?;
        }
        if let Some(without) = self.limits.get(&None) {
            for (keys, limits) in &self.limits {
                limited(f, *keys, limits, without)?;
            }
        }
        self.rest.iter().try_for_each(|rest| write!(f, "{rest}"))
    }
}

fn killed(f: &mut fmt::Formatter<'_>, workload: &str, kills: &[Killed]) -> fmt::Result {
    let of = |figure: fn(&Killed) -> f64| median(kills.iter().map(figure).collect());
    let aim = if workload == "W5" { " (aim ≤ 0.30)" } else { "" };
    writeln!(
        f,
        "{workload} kill -9 with {:.0} of {:.0} runs in flight: all finished {:.3} s after the lease{aim}, {:.3} s after the kill; {:.0} of {:.0} steps ran twice",
        of(|killed| killed.in_flight as f64),
        of(|killed| killed.runs as f64),
        of(|killed| killed.beyond_lease_s),
        of(|killed| killed.since_kill_s),
        of(|killed| killed.twice as f64),
        of(|killed| killed.steps as f64),
    )
}

fn exported(f: &mut fmt::Formatter<'_>, in_flight: usize, exports: &[Exported]) -> fmt::Result {
    let all = |by: By| exports.iter().filter(move |export| export.by == by);
    let of = |by: By, figure: fn(&Exported) -> f64| median(all(by).map(figure).collect());
    let runs = |export: &Exported| export.sample.runs_per_s;
    let (cpu, wal) = (|export: &Exported| export.sample.cpu_ms(), |export: &Exported| export.sample.wal_kb);
    writeln!(
        f,
        "export, {in_flight} in flight: {:.0} runs/s without it; cpu {:.3} ms a run ({:.3} + {:.3}), WAL {:.2} kB",
        of(By::Nobody, runs),
        of(By::Nobody, cpu),
        of(By::Nobody, |export| export.sample.client_ms),
        of(By::Nobody, |export| export.sample.server_ms),
        of(By::Nobody, wal),
    )?;
    for (by, name) in [(By::Itself, "by the node itself"), (By::Another, "by another process")] {
        // Each round against the same round: a machine that is slow for a while is so for all ways.
        let ratio =
            median(all(by).zip(all(By::Nobody)).map(|(with, without)| runs(with) / runs(without)).collect());
        writeln!(
            f,
            "  {name}: {:.0} runs/s = {ratio:.2} × (aim ≥ 0.90); cpu {:.3} ms a run ({:.3} + {:.3}), WAL {:.2} kB; {:.0} commits ({:.1} s) behind at the end, exported {:.1} s later",
            of(by, runs),
            of(by, cpu),
            of(by, |export| export.sample.client_ms),
            of(by, |export| export.sample.server_ms),
            of(by, wal),
            of(by, |export| export.behind as f64),
            of(by, |export| export.behind_s),
            of(by, |export| export.drained_s),
        )?;
    }
    writeln!(
        f,
        "  alone, afterwards: {:.0} runs/s; cpu {:.3} ms a run ({:.3} + {:.3}) = {:.2} of what the run took",
        of(By::Later, runs),
        of(By::Later, cpu),
        of(By::Later, |export| export.sample.client_ms),
        of(By::Later, |export| export.sample.server_ms),
        of(By::Later, cpu) / of(By::Nobody, cpu),
    )
}

fn limited(f: &mut fmt::Formatter<'_>, keys: Keys, limits: &[Limited], without: &[Limited]) -> fmt::Result {
    let of = |limits: &[Limited], figure: fn(&Limited) -> f64| median(limits.iter().map(figure).collect());
    let drained = |limits| of(limits, |limited| limited.drained_per_s);
    let p50 = |limits| of(limits, |limited| limited.start_ms[0]);
    let p99 = |limits| of(limits, |limited| limited.start_ms[1]);
    writeln!(
        f,
        "limits, {:<12} drained {:>6.0}/s = {:.2} × without; start {:.2} ms = {:.2} ×, 99 of 100 {:.2} ms = {:.2} ×",
        keys.map_or("none:".to_owned(), |(keys, rated)| format!(
            "{keys} {}:",
            if rated { "rated" } else { "keys" }
        )),
        drained(limits),
        drained(limits) / drained(without),
        p50(limits),
        p50(limits) / p50(without),
        p99(limits),
        p99(limits) / p99(without),
    )
}

fn line(f: &mut fmt::Formatter<'_>, cell: Cell, source: Source, sample: &Sample) -> fmt::Result {
    let [p50, p95, p99] = sample.percentiles_ms;
    writeln!(
        f,
        "{} {:<12} {:>6} {:<9}{:>12.0} {:>8.0} {p50:>8.2} {p95:>8.2} {p99:>8.2} {:>7.2} {:>8.1} {:>6.2} {:>7.3} {:>7.3} {:>7.3}",
        cell.workload,
        cell.kind.name(),
        cell.in_flight,
        source.name(),
        sample.runs_per_s,
        sample.runs_per_s * cell.kind.steps() as f64,
        sample.transactions,
        sample.rows,
        sample.wal_kb,
        sample.cpu_ms(),
        sample.client_ms,
        sample.server_ms,
    )
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
