//! What a replay takes over.

use serde::Serialize;
use utoipa::ToSchema;

use crate::runtime::ReplayPlan;

/// What a replay does, or would do.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayPlan)]
pub(in crate::http) struct PlanBody {
    /// The run that is replayed.
    of: String,
    /// Its workflow.
    workflow: String,
    /// The version that the replay runs on.
    version: String,
    /// From where it runs anew: `failed`, `start` or `task`.
    from: &'static str,
    /// From which task.
    task: Option<String>,
    /// Whether its input is another one.
    input_edited: bool,
    /// Tasks whose output is taken over: their code does not run.
    reused: Vec<String>,
    /// Tasks that a condition had left out, and that stay so.
    skipped: Vec<String>,
    /// Tasks that go on with the operations named: their code runs, and what it did is answered from the log.
    resumed: Vec<ResumedBody>,
    /// Tasks whose code runs, the resumed ones among them.
    rerun: Vec<String>,
    /// Tasks that had done something which is not taken over, and why.
    not_reused: Vec<NotReusedBody>,
}

/// A task that goes on.
#[derive(Serialize, ToSchema)]
#[schema(as = Resumed)]
struct ResumedBody {
    /// Its name.
    task: String,
    /// What is taken over: `name#occurrence`.
    ops: Vec<String>,
}

/// A task whose work is not taken over.
#[derive(Serialize, ToSchema)]
#[schema(as = NotReused)]
struct NotReusedBody {
    /// Its name.
    task: String,
    /// Why, for people.
    reason: String,
}

impl From<&ReplayPlan> for PlanBody {
    fn from(plan: &ReplayPlan) -> PlanBody {
        let (from, task) = super::from_where(&plan.from);
        let names = |tasks: &[crate::model::TaskName]| tasks.iter().map(ToString::to_string).collect();
        let resumed = plan.resumed.iter().map(|(task, ops)| ResumedBody {
            task: task.to_string(),
            ops: ops.iter().map(|op| format!("{}#{}", op.name, op.occurrence)).collect(),
        });
        let not_reused = plan
            .not_reused
            .iter()
            .map(|(task, why)| NotReusedBody { task: task.to_string(), reason: why.to_string() });
        PlanBody {
            of: plan.of.to_string(),
            workflow: plan.workflow.to_string(),
            version: plan.version.to_string(),
            from,
            task,
            input_edited: plan.input_edited,
            reused: names(&plan.reused),
            skipped: names(&plan.skipped),
            resumed: resumed.collect(),
            rerun: names(&plan.rerun),
            not_reused: not_reused.collect(),
        }
    }
}
