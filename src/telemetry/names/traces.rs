//! Names of spans, their events and their attributes.

/// A kind of span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanName {
    /// What its name begins with; the rest names the workflow, task, step or signal.
    pub word: &'static str,
    /// What follows the word; empty when nothing does.
    pub of: &'static str,
    /// What it is to other spans.
    pub kind: &'static str,
    /// What it covers.
    pub help: &'static str,
}

impl SpanName {
    /// Returns the name of the span about `of`.
    pub fn about(self, of: &str) -> String {
        if self.of.is_empty() { self.word.to_owned() } else { format!("{} {of}", self.word) }
    }
}

/// The moment of a run's creation.
pub const START: SpanName = SpanName {
    word: "start",
    of: "workflow",
    kind: "producer",
    help: "The moment of the run's creation: of no length, exported at once, and the parent of all the others.",
};

/// A whole run.
pub const RUN: SpanName =
    SpanName { word: "run", of: "workflow", kind: "internal", help: "The run from its creation to its end." };

/// An attempt at a task.
pub const ATTEMPT: SpanName = SpanName {
    word: "attempt",
    of: "task",
    kind: "consumer",
    help: "One attempt at a task, its sleeps and waits included; the code's own spans stand under it.",
};

/// A step.
pub const STEP: SpanName = SpanName {
    word: "step",
    of: "step",
    kind: "internal",
    help: "A step from the beginning of its first try to its outcome; the spans of its body stand under it.",
};

/// A sleep.
pub const SLEEP: SpanName =
    SpanName { word: "sleep", of: "", kind: "internal", help: "A sleep, also across attempts and nodes." };

/// A wait for a signal.
pub const WAIT: SpanName = SpanName {
    word: "wait",
    of: "signal",
    kind: "internal",
    help: "A wait for a signal, also across attempts and nodes; of no length when the signal had come before.",
};

/// A wait for a child run.
pub const CHILD: SpanName = SpanName {
    word: "child",
    of: "workflow",
    kind: "internal",
    help: "A child run, as its parent waits for it; the child's own spans stand under its `start`, beside this one.",
};

/// Every kind of span, in the order of `docs/TELEMETRY.md`.
pub const SPANS: [SpanName; 7] = [START, RUN, ATTEMPT, STEP, SLEEP, WAIT, CHILD];

/// An attribute of a span or of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name; where it ends in a dot, the name of a metadata pair follows.
    pub key: &'static str,
    /// What has it.
    pub on: &'static str,
    /// What its value is.
    pub value: &'static str,
    /// What it tells.
    pub help: &'static str,
}

macro_rules! attributes {
    ($($(#[$doc:meta])* $name:ident = $key:literal, $on:literal, $value:literal, $help:literal;)+) => {
        $(
            $(#[$doc])*
            pub const $name: Attribute = Attribute { key: $key, on: $on, value: $value, help: $help };
        )+

        /// Every attribute, in the order of `docs/TELEMETRY.md`.
        pub const ATTRIBUTES: &[Attribute] = &[$($name),+];
    };
}

attributes! {
    /// The run.
    RUN_ID = "runlog.run.id", "every span", "text", "The run's id.";
    /// The workflow.
    WORKFLOW_NAME = "runlog.workflow.name", "every span", "text", "The workflow's name.";
    /// The version.
    WORKFLOW_VERSION = "runlog.workflow.version", "every span", "text", "The version of its code.";
    /// The namespace.
    NAMESPACE = "runlog.namespace", "every span", "text", "Whose run it is.";
    /// The node.
    NODE_ID = "runlog.node.id", "every span", "number", "The node that recorded the span's end; none where a client's own transaction created the run.";
    /// The user's id.
    RUN_KEY = "runlog.run.key", "start, run", "text", "The user's own id for the run.";
    /// A metadata pair.
    METADATA = "runlog.metadata.", "start, run", "text", "A metadata pair of the run, by its name.";
    /// The trigger.
    TRIGGER = "runlog.trigger", "start, run", "text", "What started it: `manual`, `api`, `cron`, `schedule`, `event`, `parent` or `replay`.";
    /// The parent run.
    PARENT_RUN_ID = "runlog.parent.run.id", "start, run, link", "text", "The run that waits for this one.";
    /// The parent's task.
    PARENT_TASK_NAME = "runlog.parent.task.name", "start, run", "text", "The task of that run that started this one.";
    /// The original.
    REPLAY_OF = "runlog.replay.of", "start, run, link", "text", "The run that this one replays; its trace is linked.";
    /// Tasks taken over.
    REPLAY_TASKS = "runlog.replay.reused.tasks", "run", "number", "Tasks whose output a replay took over; they have no span here.";
    /// Operations taken over.
    REPLAY_OPS = "runlog.replay.reused.ops", "run", "number", "Steps, sleeps, waits and children that a replay took over; they have no span here.";
    /// The status.
    RUN_STATUS = "runlog.run.status", "run", "text", "How it ended: `SUCCEEDED`, `FAILED`, `CANCELLED` or `TIMED_OUT`.";
    /// Claims.
    RUN_CLAIMS = "runlog.run.claims", "run", "number", "How often a node took the run over or woke it.";
    /// Retries.
    RUN_RETRIES = "runlog.run.retries", "run", "number", "How often an attempt at a task was repeated.";
    /// The task that failed.
    FAILED_TASK = "runlog.run.failed_task", "run", "text", "The task that failed first.";
    /// Who cancelled.
    CANCEL_BY = "runlog.cancel.by", "run, event", "text", "Who asked for the run's end.";
    /// Why it was cancelled.
    CANCEL_REASON = "runlog.cancel.reason", "run, event", "text", "Why.";
    /// The task.
    TASK_NAME = "runlog.task.name", "attempt, step, sleep, wait, child", "text", "The task.";
    /// The attempt.
    ATTEMPT_NUMBER = "runlog.attempt", "attempt, step, sleep, wait, child", "number", "The attempt that began it, from 1; 0 for what a replay began with.";
    /// How many attempts there may be.
    ATTEMPTS_MAX = "runlog.attempt.max", "attempt", "number", "How many attempts the code allowed when this one failed.";
    /// How it ended.
    OUTCOME = "runlog.outcome", "attempt, step, sleep, wait, child", "text", "How it ended: `succeeded`, `failed`, `timed_out`, `cancelled` or `abandoned` (nobody waits for it any more).";
    /// The next try.
    RETRY_AT = "runlog.retry_at", "attempt, event", "time", "When it is tried again.";
    /// The step.
    STEP_NAME = "runlog.step.name", "step", "text", "The step's name.";
    /// Which of its name.
    OCCURRENCE = "runlog.occurrence", "step, sleep, wait, child", "number", "How many of the same name the task had before it.";
    /// How often the step was tried.
    STEP_TRIES = "runlog.step.tries", "step", "number", "Tries within the attempt; each one that failed is an event.";
    /// Which try.
    STEP_TRY = "runlog.step.try", "event", "number", "Which try failed.";
    /// When a sleep ends.
    WAKE_AT = "runlog.sleep.until", "sleep", "time", "Until when the code sleeps.";
    /// The signal.
    SIGNAL_NAME = "runlog.signal.name", "wait", "text", "The signal.";
    /// The child run.
    CHILD_RUN_ID = "runlog.child.run.id", "child, link", "text", "The child run; its `start` is linked.";
    /// The child's workflow.
    CHILD_WORKFLOW_NAME = "runlog.child.workflow.name", "child", "text", "The child's workflow; unknown of one that a replay replays.";
    /// The child's status.
    CHILD_STATUS = "runlog.child.run.status", "child", "text", "How the child ended.";
    /// The deadline.
    DEADLINE = "runlog.deadline", "wait, event", "time", "When time is up.";
    /// The report of a blocked run.
    BLOCKED_REPORT = "runlog.blocked.report", "event", "text", "What does not fit between the log and the code.";
    /// An error's kind.
    ERROR_TYPE = "error.type", "spans that are errors", "text", "The error's type without its path, or a word of runlog's own: `panic`, `task_timed_out`, `timed_out`, `start_timed_out`, `interrupted`, `poison`, …";
    /// An exception's type.
    EXCEPTION_TYPE = "exception.type", "event", "text", "As `error.type`.";
    /// An exception's message.
    EXCEPTION_MESSAGE = "exception.message", "event", "text", "What the error said, 1 KiB at most.";
    /// What the sources said.
    ERROR_CHAIN = "runlog.error.chain", "event", "texts", "What its sources said, outermost first, 4 at most.";
    /// A source file.
    CODE_FILE = "code.file.path", "spans that are errors", "text", "The source file of the task, the step or the panic.";
    /// A source line.
    CODE_LINE = "code.line.number", "spans that are errors", "number", "The line in it.";
}

/// An event of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventName {
    /// Its name.
    pub name: &'static str,
    /// Which spans have it.
    pub on: &'static str,
    /// What it tells.
    pub help: &'static str,
}

/// Something failed.
pub const EXCEPTION: EventName = EventName {
    name: "exception",
    on: "run, attempt, step, child",
    help: "An error: of a span that is one, or of a step's try that was followed by another.",
};

/// The run's code started.
pub const STARTED: EventName = EventName {
    name: "runlog.started",
    on: "run",
    help: "A node started the run's code; it was queued until then.",
};

/// A cancellation was asked for.
pub const CANCEL_REQUESTED: EventName = EventName {
    name: "runlog.cancel_requested",
    on: "run",
    help: "Somebody asked for the run's end; its code was told.",
};

/// The run waits for other code.
pub const BLOCKED: EventName = EventName {
    name: "runlog.blocked",
    on: "run",
    help: "The code at hand did not fit the log; the run waited for code that does.",
};

/// Another node went on with the attempt.
pub const MOVED: EventName = EventName {
    name: "runlog.moved",
    on: "attempt",
    help: "Another node went on with the attempt, after a crash, a shutdown or a long wait.",
};

/// The attempt has more time.
pub const TIMEOUT_EXTENDED: EventName = EventName {
    name: "runlog.timeout_extended",
    on: "attempt",
    help: "The code asked for more time, and has it.",
};

/// Every event, in the order of `docs/TELEMETRY.md`.
pub const SPAN_EVENTS: [EventName; 6] =
    [EXCEPTION, STARTED, CANCEL_REQUESTED, BLOCKED, MOVED, TIMEOUT_EXTENDED];
