//! A plan that differs from the one that a run started with.

use crate::model::divergence::{Diff, OpLine};
use crate::model::plan::{PlannedTask, Role};
use crate::model::{OpKey, Plan};

/// Aligns the tasks of two plans: name, role, and which tasks each waits for.
pub(super) fn diff(recorded: &Plan, code: &Plan) -> Diff {
    Diff::of(lines(recorded), lines(code), false)
}

fn lines(plan: &Plan) -> Vec<OpLine> {
    let tasks = plan.tasks.iter().map(|task| OpLine {
        kind: match task.role {
            Role::Task => "task",
            Role::OnFailure => "on-failure task",
        },
        op: OpKey { name: task.name.shared(), occurrence: 0 },
        input: Some(before(plan, task)),
        location: None,
    });
    let output = plan.tasks.get(usize::from(plan.output)).map(|task| OpLine {
        kind: "output of task",
        op: OpKey { name: task.name.shared(), occurrence: 0 },
        input: None,
        location: None,
    });
    tasks.chain(output).collect()
}

fn before(plan: &Plan, task: &PlannedTask) -> String {
    let name = |place: &u16| Some(plan.tasks.get(usize::from(*place))?.name.as_str());
    let names: Vec<&str> = task.after.iter().filter_map(name).collect();
    if names.is_empty() { "the run's".to_owned() } else { format!("of {}", names.join(", ")) }
}
