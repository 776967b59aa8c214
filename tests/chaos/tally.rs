//! What was inflicted, and what it came to.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use crate::conductor::Plan;
use crate::faults::Outcome;

/// Counts of one run of the chaos.
#[derive(Default)]
pub struct Tally {
    faults: BTreeMap<&'static str, Landings>,
    /// From the end of the last fault to the end of the last run.
    pub rest: Duration,
    pub lost_acks: u64,
    pub facts: BTreeMap<&'static str, i64>,
}

#[derive(Default)]
struct Landings {
    count: usize,
    /// What the guard saw, or why there is none.
    seen: String,
    is_skipped: bool,
}

impl Tally {
    pub fn note(&mut self, fault: &'static str, outcome: Outcome) {
        let landings = self.faults.entry(fault).or_default();
        match outcome {
            Outcome::Landed(seen) => {
                landings.count += 1;
                (landings.seen, landings.is_skipped) = (seen, false);
            }
            Outcome::Skipped(why) if landings.count == 0 => {
                (landings.seen, landings.is_skipped) = (why, true);
            }
            Outcome::Skipped(_) => {}
        }
    }

    /// The faults of the plan that did not land as often as they should.
    pub fn missing(&self, plan: &Plan) -> Vec<String> {
        let landed = |fault: &str| self.faults.get(fault).map_or(0, |landings| landings.count);
        let is_skipped = |fault: &str| self.faults.get(fault).is_some_and(|landings| landings.is_skipped);
        let round = plan.round.iter().map(|fault| (fault.name, 1));
        let wanted = round.chain(plan.targets.iter().copied());
        let missing =
            wanted.filter(|(fault, wanted)| landed(fault) < *wanted && (plan.complete || !is_skipped(fault)));
        missing.map(|(fault, wanted)| format!("{fault} landed {} times of {wanted}", landed(fault))).collect()
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        for (fault, Landings { count, seen, is_skipped }) in &self.faults {
            let count = if *is_skipped { "skipped".to_owned() } else { count.to_string() };
            writeln!(text, "  {fault:<30} {count:>7}  {seen}")?;
        }
        writeln!(text, "  {:<30} {:>7}", "commits without an answer", self.lost_acks)?;
        for (fact, count) in &self.facts {
            writeln!(text, "  {fact:<30} {count:>7}")?;
        }
        write!(text, "  {:<30} {:>6.1} s", "to rest", self.rest.as_secs_f64())?;
        f.write_str(&text)
    }
}
