//! Which signals by key a run wants.

use std::collections::BTreeMap;

use super::ids::{Key, SignalName};
use super::state::{OpState, RunState};

/// How many signals of each name and key a run wants.
pub type Wanted = BTreeMap<(SignalName, Key), i32>;

/// Returns, by name and key, how many more signals the run's code waits for than it has: below zero where it has some that no
/// wait took. A run that has ended wants none.
pub fn wanted(state: &RunState) -> Wanted {
    let mut wanted = Wanted::new();
    if state.status.is_terminal() {
        return wanted;
    }
    let mut count = |name: &SignalName, key: &Option<Key>, change: i32| {
        if let Some(key) = key {
            *wanted.entry((name.clone(), key.clone())).or_default() += change;
        }
    };
    for task in state.tasks.iter().filter(|task| task.is_open()) {
        for op in task.ops.values() {
            if let OpState::Signal { signal, key, outcome: None, .. } = &op.state {
                count(signal, key, 1);
            }
        }
    }
    for signal in &state.signals {
        count(&signal.name, &signal.key, -1);
    }
    wanted.retain(|_, count| *count != 0);
    wanted
}
