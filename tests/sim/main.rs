//! Deterministic simulation: the real engine on virtual time, under faults that a seed decides.
//!
//! `scripts/sim` runs it; `scripts/sim --seed N` repeats one world and prints its trace. Each world is lived twice and
//! must leave equal traces.

#![expect(unreachable_pub, reason = "a test binary: there is nobody outside")]

mod plan;
mod workload;
mod nodes;
mod clients;
mod faults;
mod oracle;
mod invariants;
mod signals;
mod events;
mod limited;
mod marks;
mod trace;
mod world;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use clap::Parser;
use runlog::store::memory::Mutant;

use self::world::{Outcome, simulate};

/// Simulates nodes, faults and takeovers in virtual time.
#[derive(Parser)]
struct Options {
    /// How many worlds.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// One world only, with its whole trace.
    #[arg(long)]
    seed: Option<u64>,
    /// A wrong protocol: a violation must be found.
    #[arg(long, value_parser = mutant)]
    mutant: Option<Mutant>,
    /// All wrong protocols, one after the other.
    #[arg(long)]
    mutants: bool,
    /// Marks that were never hit are no failure.
    #[arg(long)]
    no_marks: bool,
}

const MUTANTS: &[(&str, Mutant)] = &[
    ("no-fence-lock", Mutant::NoFenceLock),
    ("reviving-heartbeat", Mutant::RevivingHeartbeat),
    ("takeover-leaves-alive", Mutant::TakeoverLeavesAlive),
    ("append-at-head", Mutant::AppendAtHead),
    ("claim-and-load-in-one-statement", Mutant::ClaimAndLoadInOneStatement),
    ("untold-signals-stay", Mutant::UntoldSignalsStay),
    ("kept-signals-stay", Mutant::KeptSignalsStay),
    ("known-events-start-again", Mutant::KnownEventsStartAgain),
    ("events-before-their-runs", Mutant::EventsBeforeTheirRuns),
    ("let-in-counts-the-started", Mutant::LetInCountsTheStarted),
    ("rate-forgets-the-ended", Mutant::RateForgetsTheEnded),
    ("let-in-before-it-is-quiet", Mutant::LetInBeforeItIsQuiet),
    ("debounce-keeps-the-oldest", Mutant::DebounceKeepsTheOldest),
];

/// A world that takes longer hangs.
const WORLD_SECONDS_MAX: u64 = 60;

fn mutant(name: &str) -> Result<Mutant, String> {
    let known = || MUTANTS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let found = MUTANTS.iter().find(|(known, _)| *known == name);
    found.map(|(_, mutant)| *mutant).ok_or_else(|| format!("expected one of {}", known()))
}

fn main() -> ExitCode {
    let options = Options::parse();
    world::hear_panics();
    let good = match (options.seed, options.mutants) {
        (Some(seed), _) => one(seed, options.mutant),
        (None, true) => MUTANTS.iter().all(|(_, mutant)| catches(&options, *mutant)),
        (None, false) => match options.mutant {
            Some(mutant) => catches(&options, mutant),
            None => all(&options),
        },
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Lives one world and prints everything of it.
fn one(seed: u64, mutant: Option<Mutant>) -> bool {
    let Outcome { digest, violations, .. } = simulate(seed, mutant, true);
    println!("digest {digest:016x}");
    for violation in &violations {
        println!("VIOLATION: {violation}");
    }
    violations.is_empty() && repeats(seed, mutant, digest)
}

fn repeats(seed: u64, mutant: Option<Mutant>, digest: u64) -> bool {
    let again = simulate(seed, mutant, false).digest;
    if again != digest {
        println!("seed {seed}: lived twice, it left two traces: {digest:016x} and {again:016x}");
    }
    again == digest
}

/// Lives the worlds of all seeds, twice each.
fn all(options: &Options) -> bool {
    let failed = search(options, |seed| {
        let Outcome { digest, violations, lines } = simulate(seed, None, false);
        if !violations.is_empty() {
            report(seed, None, &violations, &lines);
            return true;
        }
        !repeats(seed, None, digest)
    });
    if let Some(seed) = failed {
        println!("repeat it: scripts/sim --seed {seed}");
        return false;
    }
    let hits = marks::hits();
    let mut missing = 0;
    for (mark, times) in &hits {
        println!("{times:>9} × {mark}");
        missing += u32::from(*times == 0);
    }
    println!("{} worlds, each twice: no violation, equal traces", options.seeds);
    if missing > 0 && !options.no_marks {
        println!("{missing} marks were never hit: the simulation shows less than it should");
        return false;
    }
    true
}

/// Says whether some seed's world shows that the protocol is wrong.
fn catches(options: &Options, mutant: Mutant) -> bool {
    let found = search(options, |seed| {
        let Outcome { violations, .. } = simulate(seed, Some(mutant), false);
        if let Some(first) = violations.first() {
            println!("{mutant:?}: seed {seed}: {first}");
        }
        !violations.is_empty()
    });
    if found.is_none() {
        println!("{mutant:?}: {} worlds did not show that it is wrong", options.seeds);
    }
    found.is_some()
}

fn report(seed: u64, mutant: Option<Mutant>, violations: &[String], lines: &[String]) {
    let mut text = format!("\nseed {seed} {mutant:?}:\n");
    for line in lines {
        text += &format!("{line}\n");
    }
    for violation in violations {
        text += &format!("VIOLATION: {violation}\n");
    }
    println!("{text}");
}

/// Tries the seeds on all cores until one is hit; returns that.
fn search(options: &Options, hit: impl Fn(u64) -> bool + Sync) -> Option<u64> {
    let next = AtomicU64::new(options.from);
    let end = options.from.saturating_add(options.seeds);
    let found = AtomicU64::new(u64::MAX);
    let stop = AtomicBool::new(false);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let alarm = Alarm::set(seed);
                    if hit(seed) {
                        found.fetch_min(seed, Ordering::Relaxed);
                        stop.store(true, Ordering::Relaxed);
                    }
                    drop(alarm);
                }
            });
        }
    });
    Some(found.into_inner()).filter(|seed| *seed != u64::MAX)
}

/// Ends the process when a world hangs.
struct Alarm {
    cancel: std::sync::mpsc::Sender<()>,
}

impl Alarm {
    fn set(seed: u64) -> Alarm {
        let (cancel, cancelled) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let waited = cancelled.recv_timeout(Duration::from_secs(WORLD_SECONDS_MAX));
            if waited == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                println!("seed {seed} hangs\nrepeat it: scripts/sim --seed {seed}");
                std::process::exit(1);
            }
        });
        Alarm { cancel }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let _gone = self.cancel.send(());
    }
}
