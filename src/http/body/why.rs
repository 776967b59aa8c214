//! Why a run is where it is.

use serde::Serialize;
use utoipa::ToSchema;

use super::diff::StartDiffBody;
use super::run::WaitingBody;
use super::similar::SimilarBody;
use super::{FailureBody, InputBody, LineBody, Sight, Time, millis};
use crate::inspect::{Action, Cause, Hop, LastGood, Site, StepSite, Wait, Why};
use crate::model::Payload;
use crate::model::event::Timeout;

/// Why a run is where it is: the cause, followed through child runs to the one where it lies.
#[derive(Serialize, ToSchema)]
#[schema(as = Why)]
pub(in crate::http) struct WhyBody {
    /// The run that was asked about.
    run: String,
    /// Its workflow.
    workflow: String,
    /// Its version.
    version: String,
    /// Where it stands.
    status: &'static str,
    /// The answer in one line.
    headline: String,
    /// The node that owns it, or wrote last.
    node: Option<i32>,
    /// When it was created.
    created_at: Time,
    /// When its code started.
    started_at: Option<Time>,
    /// When it ended.
    finished_at: Option<Time>,
    /// The runs from the one asked about to the one where the cause lies. Never empty.
    path: Vec<HopBody>,
    /// What the cause is.
    cause: CauseBody,
    /// Where in the last run of the path it lies.
    site: Option<SiteBody>,
    /// What the last run of the path waits for, or waited for when its time was up.
    waits: Vec<WaitBody>,
    /// The last good run before it, and what it was started with otherwise.
    last_good: Option<LastGoodBody>,
    /// What the code wrote last in the attempt of the site: its newest ten log lines. Left out without `read_payload`.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<Vec<LineBody>>,
    /// Other runs that failed for the same cause; of a run that failed or timed out.
    similar: Option<SimilarBody>,
    /// What a person can do about it.
    actions: Vec<ActionBody>,
}

impl WhyBody {
    pub(in crate::http) fn new(why: &Why, sight: Sight) -> WhyBody {
        WhyBody {
            run: why.run.to_string(),
            workflow: why.workflow.to_string(),
            version: why.version.to_string(),
            status: why.status.as_str(),
            headline: why.headline(),
            node: why.node.map(|node| node.0),
            created_at: why.created_at.into(),
            started_at: why.started_at.map(Time),
            finished_at: why.finished_at.map(Time),
            path: why.path.iter().map(HopBody::from).collect(),
            cause: CauseBody::from(&why.cause),
            site: why.site.as_ref().map(|site| SiteBody::new(site, sight)),
            waits: why.waits.iter().map(WaitBody::from).collect(),
            last_good: why.last_good.as_ref().map(|good| LastGoodBody::new(good, sight)),
            lines: sight.payloads().then(|| why.lines.iter().cloned().map(LineBody::from).collect()),
            similar: why.similar.as_ref().map(SimilarBody::from),
            actions: why.actions.iter().map(ActionBody::from).collect(),
        }
    }
}

/// One run on the way to the cause.
#[derive(Serialize, ToSchema)]
#[schema(as = Hop)]
struct HopBody {
    /// The run.
    run: String,
    /// Its workflow.
    workflow: String,
    /// Its version.
    version: String,
    /// Where it stands.
    status: &'static str,
    /// The task of it on the way, or where the cause lies.
    task: Option<String>,
}

impl From<&Hop> for HopBody {
    fn from(hop: &Hop) -> HopBody {
        HopBody {
            run: hop.run.to_string(),
            workflow: hop.workflow.to_string(),
            version: hop.version.to_string(),
            status: hop.status.as_str(),
            task: hop.task.as_ref().map(ToString::to_string),
        }
    }
}

/// What the cause is. The members besides `kind` depend on the kind.
#[derive(Serialize, ToSchema, Default)]
#[schema(as = Cause)]
struct CauseBody {
    /// `succeeded`, `working`, `waiting`, `blocked`, `quarantined`, `failed`, `timed_out`, `cancelled` or `parent_ended`;
    /// more may come.
    kind: &'static str,
    /// In which way it failed: `error`, `panic`, `task_timed_out`, `interrupted`, `payload`, `log_full`, `poison` or `child`.
    fault: Option<&'static str>,
    /// Why there is no further attempt: `one_try`, `exhausted`, `not_retryable`, `run_ending` or `unknown`.
    no_more: Option<&'static str>,
    /// The error at its root.
    error: Option<FailureBody>,
    /// Which timeout: `start` or `run`.
    timeout: Option<&'static str>,
    /// The deadline that passed.
    deadline: Option<Time>,
    /// How long that is from the start, or from the creation.
    limit_ms: Option<u64>,
    /// Who cancelled it.
    by: Option<String>,
    /// Why it was cancelled, what does not fit, what is wrong with the log, or why the parent ended.
    reason: Option<String>,
    /// When it was cancelled.
    at: Option<Time>,
    /// Until when its code may still run.
    abort_at: Option<Time>,
    /// The run above it that ended.
    run: Option<String>,
}

impl From<&Cause> for CauseBody {
    fn from(cause: &Cause) -> CauseBody {
        let of = |kind| CauseBody { kind, ..CauseBody::default() };
        match cause {
            Cause::Succeeded => of("succeeded"),
            Cause::Working => of("working"),
            Cause::Waiting => of("waiting"),
            Cause::Blocked { report } => CauseBody { reason: Some(report.clone()), ..of("blocked") },
            Cause::Quarantined { reason } => CauseBody { reason: Some(reason.clone()), ..of("quarantined") },
            Cause::Failed { fault, no_more, error } => CauseBody {
                fault: Some(fault.as_str()),
                no_more: Some(no_more.as_str()),
                error: Some(error.into()),
                ..of("failed")
            },
            Cause::TimedOut { timeout, deadline, limit } => CauseBody {
                timeout: Some(match timeout {
                    Timeout::Start => "start",
                    Timeout::Run => "run",
                }),
                deadline: Some(Time(*deadline)),
                limit_ms: limit.map(millis),
                ..of("timed_out")
            },
            Cause::Cancelled { by, reason, at, abort_at } => CauseBody {
                by: by.clone(),
                reason: reason.clone(),
                at: at.map(Time),
                abort_at: abort_at.map(Time),
                ..of("cancelled")
            },
            Cause::ParentEnded { run, because } => {
                CauseBody { run: Some(run.to_string()), reason: because.clone(), ..of("parent_ended") }
            }
        }
    }
}

/// A task of a run with what it was given and what it said.
#[derive(Serialize, ToSchema)]
#[schema(as = Site)]
struct SiteBody {
    /// The run.
    run: String,
    /// The task.
    task: String,
    /// The attempt at it, from 1; 0 before the first.
    attempt: u32,
    /// How many attempts the code allows.
    attempts_max: Option<u32>,
    /// The step in it that failed, or is tried again.
    step: Option<StepSiteBody>,
    /// Whether the code would have its error tried again.
    retryable: Option<bool>,
    /// The error at its root: the step's, or else the attempt's.
    error: Option<FailureBody>,
    /// What the code made of it, when that is another error.
    attempt_error: Option<FailureBody>,
    /// The node that ran the attempt.
    node: Option<i32>,
    /// When the attempt began.
    started_at: Option<Time>,
    /// When it ended.
    finished_at: Option<Time>,
    /// The run's input; left out as in a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = serde_json::Value)]
    input: Option<Payload>,
    /// How large that is.
    input_bytes: usize,
    /// The outputs of the tasks that it waited for.
    inputs: Vec<InputBody>,
}

impl SiteBody {
    fn new(site: &Site, sight: Sight) -> SiteBody {
        let input = sight.show(&site.input);
        SiteBody {
            run: site.run.to_string(),
            task: site.task.to_string(),
            attempt: site.attempt,
            attempts_max: site.attempts_max,
            step: site.step.as_ref().map(StepSiteBody::from),
            retryable: site.retryable,
            error: site.error.as_ref().map(FailureBody::from),
            attempt_error: site.attempt_error.as_ref().map(FailureBody::from),
            node: site.node.map(|node| node.0),
            started_at: site.started_at.map(Time),
            finished_at: site.finished_at.map(Time),
            input: input.value,
            input_bytes: input.bytes,
            inputs: site.inputs.iter().map(|(task, output)| InputBody::new(task, output, sight)).collect(),
        }
    }
}

/// A step of a task.
#[derive(Serialize, ToSchema)]
#[schema(as = StepSite)]
struct StepSiteBody {
    /// Its name.
    name: String,
    /// How many steps of this name came before it.
    occurrence: u32,
    /// Tries at it in the attempt.
    tries: u32,
    /// How many the code allows.
    tries_max: Option<u32>,
    /// Hash of its input, where the code gave one.
    input_hash: Option<String>,
    /// When its last try began.
    started_at: Option<Time>,
}

impl From<&StepSite> for StepSiteBody {
    fn from(step: &StepSite) -> StepSiteBody {
        StepSiteBody {
            name: step.op.name.to_string(),
            occurrence: step.op.occurrence,
            tries: step.tries,
            tries_max: step.tries_max,
            input_hash: step.input_hash.clone(),
            started_at: step.started_at.map(Time),
        }
    }
}

/// One thing that a run waits for, and since when.
#[derive(Serialize, ToSchema)]
#[schema(as = Wait)]
struct WaitBody {
    /// What.
    waiting: WaitingBody,
    /// Since when.
    since: Option<Time>,
}

impl From<&Wait> for WaitBody {
    fn from(wait: &Wait) -> WaitBody {
        WaitBody { waiting: WaitingBody::from(&wait.waiting), since: wait.since.map(Time) }
    }
}

/// The newest good run before a bad one.
#[derive(Serialize, ToSchema)]
#[schema(as = LastGood)]
struct LastGoodBody {
    /// The good run.
    run: String,
    /// Its version.
    version: String,
    /// When it ended.
    finished_at: Option<Time>,
    /// What differs from the good run (`a`) to the bad one (`b`).
    changes: StartDiffBody,
}

impl LastGoodBody {
    fn new(good: &LastGood, sight: Sight) -> LastGoodBody {
        LastGoodBody {
            run: good.run.to_string(),
            version: good.version.to_string(),
            finished_at: good.finished_at.map(Time),
            changes: StartDiffBody::new(&good.changes, sight),
        }
    }
}

/// One thing to do. The members besides `kind` depend on the kind.
#[derive(Serialize, ToSchema, Default)]
#[schema(as = Action)]
struct ActionBody {
    /// `replay`, `signal`, `serve`, `add_slots`, `resume`, `deploy`, `check_effect`, `verify` or `cancel`; more may come.
    kind: &'static str,
    /// The run to do it to.
    run: Option<String>,
    /// The task that a replay begins with again; null = with the first.
    from: Option<String>,
    /// Tasks that a replay does not run again.
    reused: Option<usize>,
    /// Tasks that a replay runs.
    rerun: Option<usize>,
    /// Whether a replay must be forced.
    force: Option<bool>,
    /// The signal to send.
    signal: Option<String>,
    /// The key to send it to; absent = to the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    signal_key: Option<String>,
    /// The workflow to serve, deploy, resume, or give slots to.
    workflow: Option<String>,
    /// Its version.
    version: Option<String>,
    /// The step whose effect is to be checked.
    step: Option<String>,
}

impl From<&Action> for ActionBody {
    fn from(action: &Action) -> ActionBody {
        let of = |kind| ActionBody { kind, ..ActionBody::default() };
        let to = |kind, run: &crate::model::RunId| ActionBody { run: Some(run.to_string()), ..of(kind) };
        match action {
            Action::Replay { run, from, reused, rerun, force } => ActionBody {
                from: from.as_ref().map(ToString::to_string),
                reused: Some(*reused),
                rerun: Some(*rerun),
                force: Some(*force),
                ..to("replay", run)
            },
            Action::Signal { run, name, key } => ActionBody {
                signal: Some(name.to_string()),
                signal_key: key.as_ref().map(ToString::to_string),
                ..to("signal", run)
            },
            Action::Serve { workflow, version } => ActionBody {
                workflow: Some(workflow.to_string()),
                version: Some(version.to_string()),
                ..of("serve")
            },
            Action::AddSlots { workflow } => {
                ActionBody { workflow: Some(workflow.to_string()), ..of("add_slots") }
            }
            Action::Resume { workflow } => {
                ActionBody { workflow: Some(workflow.to_string()), ..of("resume") }
            }
            Action::Deploy { run, workflow, version } => ActionBody {
                workflow: Some(workflow.to_string()),
                version: Some(version.to_string()),
                ..to("deploy", run)
            },
            Action::CheckEffect { run, step } => {
                ActionBody { step: Some(step.clone()), ..to("check_effect", run) }
            }
            Action::Verify { run } => to("verify", run),
            Action::Cancel { run } => to("cancel", run),
        }
    }
}
