//! Whether each stage of the demo came out as told.

use super::shop::{ASKS, CHARGE_ATTEMPTS, Receipt};
use crate::inspect::RunView;
use crate::model::{Recorded, RunId, Status, TaskStatus};
use crate::store::LogLine;

/// What differed, stage by stage.
#[derive(Default)]
pub(super) struct Stages {
    wrong: Vec<String>,
}

impl Stages {
    /// Lists what differed from what was told.
    pub(super) fn wrong(&self) -> &[String] {
        &self.wrong
    }

    fn equal<T: PartialEq + std::fmt::Debug>(&mut self, stage: &str, what: &str, found: T, told: T) {
        if found != told {
            self.wrong.push(format!("stage {stage}: {what} is {found:?}, not {told:?}"));
        }
    }

    /// The run without a payment service failed where and as it should.
    pub(super) fn check_failed(&mut self, run: &RunView, lines: &[LogLine]) {
        let stage = "1, the failure";
        self.equal(stage, "the status", run.status, Status::Failed);
        self.tasks(
            stage,
            run,
            [
                ("reserve", TaskStatus::Succeeded),
                ("score", TaskStatus::Succeeded),
                ("charge", TaskStatus::Failed),
                ("ship", TaskStatus::Cancelled),
                ("tell", TaskStatus::Succeeded),
            ],
        );
        let error = run.error();
        let message = error.map(|error| error.message.as_str());
        self.equal(stage, "the error", message, Some("the payment service does not answer"));
        let chain = error.map_or(0, |error| error.chain.len());
        self.equal(stage, "the number of its causes", chain, 2);
        let place = error.and_then(|error| error.location.as_deref()).unwrap_or_default();
        self.equal(stage, "whether it names its source", place.contains("shop.rs:"), true);
        let charge = run.task("charge");
        let attempts = charge.map_or(0, |task| task.attempts.len());
        self.equal(stage, "the number of attempts", attempts, CHARGE_ATTEMPTS as usize);
        let said = lines.iter().filter(|line| line.line.message.contains(ASKS)).count();
        self.equal(stage, "the number of its lines", said, CHARGE_ATTEMPTS as usize);
        let inputs = charge.map_or(0, |task| task.inputs.len());
        self.equal(stage, "the number of inputs of `charge`", inputs, 2);
    }

    /// The page of the failed run says why, and offers the replay.
    pub(super) fn check_page(&mut self, html: &str) {
        let stage = "1, the page of the failure";
        for part in
            ["the payment service does not answer", "connection refused", "shop.rs:", "Replay from charge"]
        {
            self.equal(stage, &format!("whether it says {part:?}"), html.contains(part), true);
        }
    }

    /// The replay after the repair succeeded at the first attempt of what had failed, and did nothing twice.
    pub(super) fn check_replayed(&mut self, run: &RunView, first: RunId, reserved: u32) {
        let stage = "3, the replay";
        self.equal(stage, "whether it is a run of its own", run.id != first, true);
        self.equal(stage, "the run that it replays", run.replay_of, Some(first));
        self.equal(stage, "how often stock was reserved", reserved, 1);
        self.equal(stage, "the status", run.status, Status::Succeeded);
        self.tasks(
            stage,
            run,
            [
                ("reserve", TaskStatus::Reused),
                ("score", TaskStatus::Reused),
                ("charge", TaskStatus::Succeeded),
                ("ship", TaskStatus::Succeeded),
                ("tell", TaskStatus::Skipped),
            ],
        );
        self.equal(stage, "the number of retries", run.retries, 0);
        let payment = run.output.as_ref().and_then(|output| output.read::<Receipt>().ok());
        let payment = payment.map(|receipt| receipt.payment);
        self.equal(stage, "the payment", payment, Some("4900 cents charged".to_owned()));
    }

    /// The log is whole: numbered without holes, from the run's creation to its success.
    pub(super) fn check_log(&mut self, log: &[Recorded], run: &RunView) {
        let stage = "4, the log";
        let numbers: Vec<u32> = log.iter().map(|recorded| recorded.seq).collect();
        self.equal(stage, "the numbering", numbers, (1..=run.events).collect());
        let kind = |recorded: Option<&Recorded>| recorded.map(|recorded| recorded.event.kind());
        self.equal(stage, "the first event", kind(log.first()), Some("run_created"));
        self.equal(stage, "the last event", kind(log.last()), Some("run_succeeded"));
    }

    fn tasks<const N: usize>(&mut self, stage: &str, run: &RunView, told: [(&str, TaskStatus); N]) {
        for (task, told) in told {
            let status = run.task(task).map(|task| task.status);
            self.equal(stage, &format!("task {task}"), status, Some(told));
        }
    }
}
