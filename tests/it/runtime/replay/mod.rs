//! Replaying: what is taken over, what runs again, and what is refused.

mod function;
mod dag;
mod doors;
mod changed;
mod child;
mod crash;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use runlog::model::OpKey;
use runlog::runtime::ReplayPlan;

/// Something outside that is broken until it is repaired.
#[derive(Clone, Default)]
struct Outside(Arc<AtomicBool>);

#[derive(Debug, thiserror::Error)]
#[error("it is broken")]
struct Broken;

impl Outside {
    fn repair(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(super) fn break_again(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    fn ask(&self) -> Result<u32, Broken> {
        if self.0.load(Ordering::SeqCst) { Ok(7) } else { Err(Broken) }
    }
}

/// Names of a plan's tasks, as text.
fn names(tasks: &[runlog::model::TaskName]) -> Vec<&str> {
    tasks.iter().map(|task| task.as_str()).collect()
}

/// The operations that a plan's only resumed task goes on with.
fn ops(plan: &ReplayPlan) -> Vec<String> {
    let [(_, ops)] = &plan.resumed[..] else { panic!("one task is resumed: {plan:?}") };
    ops.iter().map(|OpKey { name, occurrence }| format!("{name}#{occurrence}")).collect()
}

/// Why tasks are not reused, as text.
fn reasons(plan: &ReplayPlan) -> Vec<String> {
    plan.not_reused.iter().map(|(task, why)| format!("{task}: {why}")).collect()
}
