//! Mutants of the protocol: each must be caught.

use std::time::Duration;

use crate::conductor::{self, Plan};
use crate::faults;
use crate::proxy::Mutant;

/// Long enough for several of the faults that bring a mutant out.
const TIME: Duration = Duration::from_secs(25);

/// What brings out a fence that does not hold, and an append that is written twice.
const FAULTS: [&str; 3] = ["pause in mid-commit", "pause beyond the lease", "cut after commit"];

/// How often a mutant may get away: whether a pause falls into a commit is chance.
const TRIES: u64 = 3;

/// Runs the chaos with each mutant; true when all were caught.
pub async fn all_are_caught(mutants: &[Mutant], seed: u64) -> anyhow::Result<bool> {
    let mut survivors = Vec::new();
    for mutant in mutants {
        println!("\nmutant {}: {}", mutant.name, mutant.wrong);
        let mut caught = false;
        for seed in seed..seed + TRIES {
            caught = is_caught(*mutant, seed).await?;
            if caught {
                break;
            }
        }
        if !caught {
            println!("  SURVIVED");
            survivors.push(mutant.name);
        }
    }
    println!("\n{} mutants, {} survived {survivors:?}", mutants.len(), survivors.len());
    Ok(survivors.is_empty())
}

async fn is_caught(mutant: Mutant, seed: u64) -> anyhow::Result<bool> {
    let round = FAULTS.iter().filter_map(|name| faults::named(name)).collect();
    let plan = Plan { round, targets: Vec::new(), mutant: Some(mutant), ..conductor::plan(seed, TIME, 0) };
    let folder = crate::folder(seed)?;
    let chaos = conductor::conduct(&plan, &folder).await?;
    std::fs::remove_dir_all(&folder)?;
    for violation in &chaos.violations {
        println!("  caught: {} ({} runs)", violation.what, violation.runs.len());
    }
    Ok(!chaos.violations.is_empty())
}
