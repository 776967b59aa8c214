//! What a replay takes over of the run that it replays.
//!
//! A replay from what failed is one more attempt at it: outcomes are kept, failed steps count as nothing. What is taken
//! over is written into the new run's log, so that the original's may go.

mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use self::work::{Kept, Work};
use super::condition::SkipReason;
use super::event::{
    Event, Place, Recorded, ReplayFrom, ReusedOp, TaskEvent, TaskResumed, TaskReused, TaskSkipped,
};
use super::failure::CONDITION;
use super::ids::{OpKey, RunId, TaskName};
use super::payload::Payload;
use super::plan::{Plan, PlannedTask, Role};
use super::state::{RunState, TakenOver, TaskState};

/// What a replay takes over, and what it does not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Takeover {
    /// The events that say so, to stand right after the new run's creation.
    pub events: Vec<Event>,
    /// Tasks whose output is taken over: their code does not run.
    pub reused: Vec<TaskName>,
    /// Tasks that were skipped, and stay so.
    pub skipped: Vec<TaskName>,
    /// Tasks that go on with the operations named: their code runs, and is answered from the log.
    pub resumed: Vec<(TaskName, Vec<OpKey>)>,
    /// Tasks whose code runs, those that are resumed among them, in an order in which they can.
    pub rerun: Vec<TaskName>,
    /// Tasks that had an output or operations which are not taken over, and why.
    pub not_reused: Vec<(TaskName, NotReused)>,
    /// Child runs that are replayed, too: the child, and where it belongs.
    pub children: Vec<(RunId, TaskName, OpKey)>,
}

/// Why nothing of a task is taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotReused {
    /// The replay was asked to run it again.
    Asked,
    /// The input is another one, and every task may read it.
    InputEdited,
    /// The code of the replay's version has no such task.
    Gone,
    /// The code of the replay's version gives it the outputs of other tasks.
    PredecessorsChanged,
    /// It is given the output of a task that runs again.
    After(TaskName),
    /// It ran because the run failed; what it undid is not undone again, nor done again.
    OnFailure,
}

impl fmt::Display for NotReused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotReused::Asked => f.write_str("it was asked to run again"),
            NotReused::InputEdited => f.write_str("the input was edited"),
            NotReused::Gone => f.write_str("the code has no such task any more"),
            NotReused::PredecessorsChanged => f.write_str("the code has it wait for other tasks"),
            NotReused::After(task) => write!(f, "it comes after `{task}`, which runs again"),
            NotReused::OnFailure => f.write_str("it ran because the run failed"),
        }
    }
}

/// Says which run replays a child run, if one does; without, the child is started anew.
pub type Successor<'a> = &'a dyn Fn(RunId) -> Option<RunId>;

/// Decides what a replay of `state`, the fold of `log`, takes over; `plan` is the shape of the replay's code, where it is
/// known.
pub fn take_over(
    (state, log): (&RunState, &[Recorded]),
    plan: Option<&Plan>,
    from: &ReplayFrom,
    input_edited: bool,
    successor: Successor<'_>,
) -> Takeover {
    let done = done(state);
    let assumed = assumed_plan(&done);
    let plan = plan.or(state.plan.as_ref()).unwrap_or(&assumed);
    let mut takeover = Takeover::default();
    let mut reused: BTreeSet<u16> = BTreeSet::new();
    for (at, task) in plan.in_order() {
        let (name, found) = (&task.name, done.get(&task.name));
        let refusal = match from {
            _ if task.role == Role::OnFailure => Some(NotReused::OnFailure),
            _ if input_edited => Some(NotReused::InputEdited),
            ReplayFrom::Start => Some(NotReused::Asked),
            ReplayFrom::Task(asked) if asked == name => Some(NotReused::Asked),
            ReplayFrom::Failed | ReplayFrom::Task(_) => unfit(state, plan, task, &reused),
        };
        match (found, refusal) {
            (Some(Done::Output(output)), None) => {
                reused.insert(at);
                takeover.reuse(name, output);
                continue;
            }
            (Some(Done::Skipped(because)), None) => {
                reused.insert(at);
                takeover.push(name, TaskSkipped { because: SkipReason::clone(because) });
                takeover.skipped.push(name.clone());
                continue;
            }
            (Some(Done::Begun(begun)), None) => {
                takeover.resume(name, work::of(state.id, begun, log, successor));
            }
            (Some(Done::Kept(kept)), None) => {
                takeover.resume(name, work::untouched(kept, (name, log), successor));
            }
            (Some(_), Some(refusal)) => takeover.not_reused.push((name.clone(), refusal)),
            (None, _) => {}
        }
        if task.role == Role::Task {
            takeover.rerun.push(name.clone());
        }
    }
    let gone = done.keys().filter(|name| plan.position(name).is_none());
    takeover.not_reused.extend(gone.map(|name| ((*name).clone(), NotReused::Gone)));
    takeover
}

impl Takeover {
    fn push(&mut self, task: &TaskName, event: impl Into<TaskEvent>) {
        self.events.push(Event::Task(Place { task: task.clone(), attempt: 0 }, event.into()));
    }

    fn reuse(&mut self, task: &TaskName, output: &Payload) {
        self.push(task, TaskReused { output: output.clone() });
        self.reused.push(task.clone());
    }

    fn resume(&mut self, task: &TaskName, work: Work) {
        self.push(task, TaskResumed { work: work.run, patches: work.patches });
        let ops = work.ops.iter().map(|op| op.op.clone()).collect();
        for op in work.ops {
            if let ReusedOp::ReplayedChild { of, .. } = op.recorded {
                self.children.push((of, task.clone(), op.op.clone()));
            }
            self.push(task, op);
        }
        self.resumed.push((task.clone(), ops));
    }
}

/// What a task of the original came to.
enum Done<'a> {
    /// It has its output.
    Output(&'a Payload),
    /// It was left out.
    Skipped(&'a SkipReason),
    /// It began.
    Begun(&'a TaskState),
    /// It did not, in a replay that took its work over.
    Kept(Kept<'a>),
}

/// Collects what the tasks of the original came to; one that never began came to nothing.
fn done(state: &RunState) -> BTreeMap<&TaskName, Done<'_>> {
    fn of_task(task: &TaskState) -> Option<(&TaskName, Done<'_>)> {
        let unjudged = task.last_error().is_some_and(|error| error.kind == CONDITION);
        let is_new = task.attempts.is_empty() && task.ops.is_empty() && task.work.is_none();
        let done = match (&task.output, &task.skipped) {
            (Some(output), _) if task.has_output() => Done::Output(output),
            (_, Some(skipped)) => Done::Skipped(&skipped.because),
            _ if is_new || unjudged => return None,
            _ => Done::Begun(task),
        };
        Some((&task.name, done))
    }
    // A replay that never started took over all the same.
    fn of_unstarted<'a>((name, taken): (&'a TaskName, &'a TakenOver)) -> (&'a TaskName, Done<'a>) {
        let done = match taken {
            TakenOver::Output(output) => Done::Output(output),
            TakenOver::Skipped(because) => Done::Skipped(because),
            TakenOver::Work { run, patches, ops } => Done::Kept(Kept { run: *run, patches, ops }),
        };
        (name, done)
    }
    state.tasks.iter().filter_map(of_task).chain(state.taken_over.iter().map(of_unstarted)).collect()
}

/// The shape of a run that never started, as far as it is known.
fn assumed_plan(done: &BTreeMap<&TaskName, Done<'_>>) -> Plan {
    let task = |name: &&TaskName| PlannedTask::new((*name).clone(), Vec::new(), Role::Task);
    Plan { tasks: done.keys().map(task).collect(), output: 0 }
}

/// Says why a task cannot keep what it had: it would be given something else now.
fn unfit(state: &RunState, plan: &Plan, task: &PlannedTask, reused: &BTreeSet<u16>) -> Option<NotReused> {
    let before = predecessors(plan, task);
    let old = state.plan.as_ref().zip(state.plan.as_ref().and_then(|plan| plan.position(&task.name)));
    let old = old.and_then(|(plan, at)| Some(predecessors(plan, plan.tasks.get(at)?)));
    if old.is_some_and(|old| old != before) {
        return Some(NotReused::PredecessorsChanged);
    }
    let again = task.after.iter().find(|place| !reused.contains(place));
    let again = again.and_then(|place| plan.tasks.get(usize::from(*place)));
    again.map(|task| NotReused::After(task.name.clone()))
}

fn predecessors<'plan>(plan: &'plan Plan, task: &PlannedTask) -> BTreeSet<&'plan TaskName> {
    let name = |place: &u16| plan.tasks.get(usize::from(*place)).map(|task| &task.name);
    task.after.iter().filter_map(name).collect()
}
