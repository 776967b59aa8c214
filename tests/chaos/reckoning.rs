//! The oracle's facts against the database: what clients were told is so, and no body ran that must not have.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use runlog::RunId;
use sqlx::PgPool;

use crate::oracle::{self, Fact, Testimony};
use crate::records::{Records, Run};
use crate::tally::Tally;
use crate::verdict::Violation;
use crate::workload::{Expected, expected};

/// How far two clocks of one machine may drift apart while a process lives.
const DRIFT_US: i64 = 20_000;

/// Judges by what the processes wrote down.
pub async fn of_oracle(pool: &PgPool, folder: &Path, tally: &mut Tally) -> anyhow::Result<Vec<Violation>> {
    let facts = oracle::read(folder)?;
    let records = Records::read(pool).await?;
    let mut found = Found::default();
    check_starts(&facts, &records, &mut found);
    check_messages(&facts, &records, &mut found);
    check_ends(&facts, &records, &mut found);
    check_bodies(&facts, &records, &mut found, tally);
    for (run, what) in &records.unbooked {
        found.add(what, run);
    }
    tally.facts.extend(records.counts);
    let violation = |(what, runs): (String, BTreeSet<String>)| Violation { what, runs: Vec::from_iter(runs) };
    Ok(found.0.into_iter().map(violation).collect())
}

/// Violations by what they are.
#[derive(Default)]
struct Found(BTreeMap<String, BTreeSet<String>>);

impl Found {
    fn add(&mut self, what: &str, run: impl ToString) {
        self.0.entry(what.to_owned()).or_default().insert(run.to_string());
    }
}

/// All facts, each with its process and time.
fn lines(facts: &[Testimony]) -> impl Iterator<Item = (&str, i64, &Fact)> {
    facts.iter().flat_map(|testimony| {
        testimony.lines.iter().map(|line| (testimony.node.as_str(), line.at, &line.fact))
    })
}

/// Every acknowledged start has its run, a key has one, and nothing runs that nobody asked for.
fn check_starts(facts: &[Testimony], records: &Records, found: &mut Found) {
    let mut asked: HashMap<(&str, u64), (&str, Option<&str>, u64)> = HashMap::new();
    let mut asks: HashMap<(&str, u64), usize> = HashMap::new();
    let mut keys: HashMap<&str, RunId> = HashMap::new();
    for (node, _, fact) in lines(facts) {
        match fact {
            Fact::StartAsked { ask, workflow, key, seed } => {
                asked.insert((node, *ask), (workflow, key.as_deref(), *seed));
                *asks.entry((workflow, *seed)).or_default() += usize::from(key.is_none());
            }
            Fact::StartTold { ask, run, .. } => {
                let Some((workflow, key, seed)) = asked.get(&(node, *ask)) else {
                    found.add("a client was told of a start that it did not ask for", run);
                    continue;
                };
                let fits = |is: &Run| {
                    is.workflow == *workflow
                        && is.key.as_deref() == *key
                        && is.seed() == *seed
                        && !is.is_child
                };
                if !records.runs.get(run).is_some_and(fits) {
                    found.add("an acknowledged start has not its run", run);
                }
                if key.is_some_and(|key| *keys.entry(key).or_insert(*run) != *run) {
                    found.add("a key was answered with two runs", run);
                }
            }
            _ => {}
        }
    }
    check_created(facts, found);
    for (id, run) in records.runs.iter().filter(|(_, run)| run.key.is_none() && !run.is_child) {
        match asks.get_mut(&(run.workflow.as_str(), run.seed())) {
            Some(left) if *left > 0 => *left -= 1,
            _ => found.add("a run was started more often than it was asked for", id),
        }
    }
}

/// Of all who were told that a run is new, one is right.
fn check_created(facts: &[Testimony], found: &mut Found) {
    let mut created = BTreeSet::new();
    for (_, _, fact) in lines(facts) {
        if let Fact::StartTold { run, created: true, .. } = fact
            && !created.insert(*run)
        {
            found.add("two clients were told that they created a run", run);
        }
    }
}

/// An acknowledged signal was received, once, unless its run ended without it; an acknowledged cancel cancelled.
fn check_messages(facts: &[Testimony], records: &Records, found: &mut Found) {
    let (mut asked, mut told) = (BTreeSet::new(), BTreeSet::new());
    let received: BTreeSet<RunId> = records.signals.keys().map(|(run, _)| *run).collect();
    for (_, _, fact) in lines(facts) {
        match fact {
            Fact::SignalAsked { run, number } => drop(asked.insert((*run, *number))),
            Fact::SignalTold { run, number } => drop(told.insert((*run, *number))),
            Fact::CancelTold { run } if records.runs.get(run).is_none_or(|is| is.status != "CANCELLED") => {
                found.add("an acknowledged cancel came to nothing", run);
            }
            _ => {}
        }
    }
    for (run, _) in &told {
        // Its code waits for one signal: one that came after the first may find the run at its end.
        if !received.contains(run) {
            found.add("an acknowledged signal was lost", run);
        }
    }
    for (signal, count) in &records.signals {
        if *count != 1 || !asked.contains(signal) {
            found.add("a signal was received twice, or never sent", signal.0);
        }
    }
}

/// Every run came to what its input says, and whoever waited for its end was told so.
fn check_ends(facts: &[Testimony], records: &Records, found: &mut Found) {
    let mut cancelled = BTreeSet::new();
    for (_, _, fact) in lines(facts) {
        match fact {
            Fact::CancelAsked { run } => drop(cancelled.insert(*run)),
            Fact::EndTold { run, output, error } => {
                let is = records.runs.get(run);
                let fits = |is: &Run| (is.status == "SUCCEEDED") == error.is_none();
                if !is.is_some_and(|is| fits(is) && (error.is_some() || is.output() == *output)) {
                    found.add("a client was told another end than the log's", run);
                }
            }
            _ => {}
        }
    }
    for (id, run) in &records.runs {
        let wanted = expected(&run.workflow, &run.version, run.seed());
        let fits = match (run.status.as_str(), wanted) {
            ("SUCCEEDED", Expected::Output(output)) => run.output() == Some(output),
            ("SUCCEEDED", Expected::Either(one, other)) => {
                run.output() == Some(one) || run.output() == Some(other)
            }
            ("SUCCEEDED", Expected::Signal) => {
                run.output().is_some_and(|number| records.signals.contains_key(&(*id, number)))
            }
            ("FAILED", Expected::Failed) => {
                run.failure.as_ref().is_some_and(|failure| failure.contains("refused"))
            }
            ("CANCELLED", _) => cancelled.contains(id),
            // Said by the settling already.
            ("QUEUED" | "RUNNING", _) => true,
            _ => false,
        };
        if !fits {
            found.add(&format!("a run of {} ended as it must not", run.workflow), id);
        }
    }
}

/// No body began after its outcome was recorded, but in a process whose lease was over; every outcome had a body; an
/// at-most-once body ran once.
fn check_bodies(facts: &[Testimony], records: &Records, found: &mut Found, tally: &mut Tally) {
    let mut ran: HashMap<&str, usize> = HashMap::new();
    let mut zombies = 0;
    for (node, at, fact) in lines(facts) {
        let Fact::Body { key, .. } = fact else { continue };
        *ran.entry(key.as_str()).or_default() += 1;
        let run = key.split(':').next().unwrap_or_default();
        if key.ends_with(":once:once#0") && ran.get(key.as_str()).is_some_and(|count| *count > 1) {
            found.add("an at-most-once step ran twice", run);
        }
        let recorded = records.outcomes.get(key.as_str());
        if recorded.is_some_and(|recorded| at > recorded + DRIFT_US) {
            if has_lease(node, at, records) {
                found.add("a body ran after its outcome was recorded", run);
            } else {
                zombies += 1;
            }
        }
    }
    for key in records.outcomes.keys().filter(|key| is_body(key)) {
        if !ran.contains_key(key.as_str()) {
            let run = key.split(':').next().unwrap_or_default();
            found.add("an outcome is recorded whose body never ran", run);
        }
    }
    let bodies: usize = ran.values().sum();
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    tally.facts.insert("bodies that ran", count(bodies));
    tally.facts.insert("bodies that ran again", count(bodies - ran.len()));
    tally.facts.insert("bodies begun beyond a lease", zombies);
}

/// Says whether the process had a lease at that moment, as far as it could know.
fn has_lease(node: &str, at: i64, records: &Records) -> bool {
    let lives = records.lives.get(node).map(Vec::as_slice).unwrap_or_default();
    lives.iter().rev().find(|life| life.from <= at).is_some_and(|life| at <= life.until)
}

/// Says whether the outcome is a body's: a step's, or a task's of the DAG.
fn is_body(key: &str) -> bool {
    let mut parts = key.split(':').skip(1);
    match (parts.next(), parts.next()) {
        (_, Some(_)) => true,
        (task, None) => {
            task.is_some_and(|task| ["reserve", "charge", "score", "ship", "refund"].contains(&task))
        }
    }
}
