//! Chaos on a real Postgres: node processes, a workload that knows what must come of it, and every fault that can be
//! inflicted on processes, connections and the server. The verdict is the logs' own rules and an oracle outside the
//! product.
//!
//! `scripts/chaos [--seconds N] [--kills N] [--long] [--complete] [--seed N] [--only FAULT] [--mutant NAME] [--mutants] [--list]`
//!
//! - Without arguments every kind of fault lands and 200 nodes are killed, within five minutes.
//! - `--long`: 1,000 kills, 300 pauses beyond the lease and 100 crashes of the server.
//! - `--complete`: a fault that this machine cannot inflict is one that is missing.
//! - `--mutant`: the product's statements are changed on their way to the server; the chaos must find that out.
//!
//! It ends with 1 if anything is wrong, and keeps the oracle's files and the database then.

#![expect(
    unreachable_pub,
    reason = "a program has no public items; `pub` says what a module gives to the others"
)]

mod oracle;
mod workload;
mod client;
mod node;
mod slot;
mod ground;
mod proxy;
mod faults;
mod conductor;
mod mutants;
mod verdict;
mod records;
mod reckoning;
mod tally;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use conductor::Plan;
use faults::FAULTS;
use proxy::{MUTANTS, Mutant};

/// What is asked for.
enum Wish {
    Chaos(Plan),
    Mutants(Vec<Mutant>, u64),
    List,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let done = if arguments.next_if(|first| first == "node").is_some() {
        // One worker: a body that blocks its thread takes the whole process with it.
        node::Orders::read(arguments).and_then(|orders| run(1, node::live(orders))).map(|()| true)
    } else {
        read(arguments).and_then(|wish| run(2, obey(wish)))
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run<T>(workers: usize, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    let done = runtime.block_on(work);
    // Code that blocks its thread is not waited for.
    runtime.shutdown_background();
    done
}

fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Wish> {
    let (mut time, mut kills) = (Duration::from_secs(200), 200);
    let (mut seed, mut long, mut only, mut mutants) = (None, false, None, Vec::new());
    let mut complete = false;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--seconds" => time = Duration::from_secs(value()?.parse()?),
            "--kills" => kills = value()?.parse()?,
            "--seed" => seed = Some(value()?.parse()?),
            "--long" => long = true,
            "--complete" => complete = true,
            "--only" => only = Some(value()?),
            "--mutant" => {
                let name = value()?;
                mutants.push(Mutant::named(&name).with_context(|| format!("there is no mutant {name:?}"))?);
            }
            "--mutants" => mutants = MUTANTS.to_vec(),
            "--list" => return Ok(Wish::List),
            // What the harness of other tests understands.
            "--nocapture" | "--quiet" => {}
            other => bail!("{other:?} is not understood: see tests/chaos/main.rs"),
        }
    }
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    if !mutants.is_empty() {
        return Ok(Wish::Mutants(mutants, seed));
    }
    let mut plan = conductor::plan(seed, time, kills);
    if long {
        plan = conductor::long_plan(seed);
    }
    plan.complete = complete;
    if let Some(name) = only {
        let fault =
            faults::named(&name).with_context(|| format!("there is no fault {name:?}: see --list"))?;
        // A kill has no end to wait for: it goes by number.
        let (is_kill, kill) = (fault.name == faults::KILL.name, (faults::KILL.name, kills));
        plan.round.retain(|other| other.name == fault.name);
        plan.targets = is_kill.then_some(kill).into_iter().collect();
    }
    Ok(Wish::Chaos(plan))
}

async fn obey(wish: Wish) -> anyhow::Result<bool> {
    match wish {
        Wish::Chaos(plan) => chaos(&plan).await,
        Wish::Mutants(wanted, seed) => mutants::all_are_caught(&wanted, seed).await,
        Wish::List => {
            println!("{}", faults::KILL.name);
            FAULTS.iter().for_each(|fault| println!("{}", fault.name));
            MUTANTS.iter().for_each(|mutant| println!("--mutant {}: {}", mutant.name, mutant.wrong));
            Ok(true)
        }
    }
}

/// Runs one plan; true when nothing is wrong.
async fn chaos(plan: &Plan) -> anyhow::Result<bool> {
    let folder = folder(plan.seed)?;
    println!("chaos with seed {} in {}", plan.seed, folder.display());
    let chaos = conductor::conduct(plan, &folder).await;
    let chaos =
        chaos.with_context(|| format!("the oracle and the database are kept in {}", folder.display()))?;
    println!("\n{}", chaos.tally);
    let missing = chaos.tally.missing(plan);
    missing.iter().for_each(|fault| println!("MISSING: {fault}"));
    if chaos.violations.is_empty() && missing.is_empty() {
        std::fs::remove_dir_all(&folder)?;
        println!("chaos with seed {}: nothing is wrong", plan.seed);
        return Ok(true);
    }
    chaos.violations.iter().for_each(|violation| println!("VIOLATION: {}", violation.what));
    println!("the oracle and the database are kept in {}", folder.display());
    Ok(false)
}

/// A new folder for what is written down.
fn folder(seed: u64) -> anyhow::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("runlog-chaos-{seed}-{}", std::process::id()));
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
