//! Carries out bulk actions: each by one process at a time, which has its lease; another one goes on when that dies.

use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::problem::{Code, Problem};
use super::service::Service;
use crate::clock;
use crate::model::event::ReplayFrom;
use crate::model::ids::NameError;
use crate::model::{BulkId, RunId, TaskName};
use crate::runtime::{Bulk, BulkAnswer, BulkDone, CancelOptions, ReplayOptions};
use crate::store::postgres::AccessStore;
use crate::store::{BulkItem, BulkRow};

/// How long a worker counts as alive after it was last heard of.
const LEASE: Duration = Duration::from_secs(30);

/// How often a worker is heard of, and its answers kept, at least.
const KEEP_EVERY: Duration = Duration::from_secs(1);

/// Answers kept by one statement.
const KEEP_MAX: usize = 100;

/// Runs taken up at once.
const RUNS_AT_ONCE: u32 = 1_000;

/// How often it is looked for actions whose worker died.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Actions taken up by one look.
const TAKEN_AT_ONCE: u32 = 4;

/// How a bulk action is done, as it is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Options {
    /// From where a replay runs anew.
    #[serde(default)]
    pub(super) from_start: bool,
    #[serde(default)]
    pub(super) task: Option<String>,
    #[serde(default)]
    pub(super) force: bool,
    #[serde(default)]
    pub(super) version: Option<String>,
    #[serde(default)]
    pub(super) grace_ms: Option<u64>,
}

impl Options {
    /// Says it as the runtime takes it.
    pub(super) fn bulk(
        &self,
        service: &Service,
        action: &str,
        who: &str,
        reason: Option<&str>,
        runs: Vec<RunId>,
    ) -> Result<Bulk, NameError> {
        if action == CANCEL {
            let mut options = CancelOptions::default().by(who);
            if let Some(reason) = reason {
                options = options.reason(reason);
            }
            if let Some(grace) = self.grace_ms {
                options = options.grace(Duration::from_millis(grace));
            }
            return Ok(service.runtime.bulk_cancel(runs, options));
        }
        let mut options = ReplayOptions::default().by(who);
        options = match (self.from_start, &self.task) {
            (true, _) => options.from_start(),
            (false, Some(task)) => options.from(ReplayFrom::Task(TaskName::new(task)?)),
            (false, None) => options,
        };
        if self.force {
            options = options.force();
        }
        if let Some(reason) = reason {
            options = options.reason(reason);
        }
        if let Some(version) = &self.version {
            options = options.version(version);
        }
        Ok(service.runtime.bulk_replay(runs, options))
    }
}

/// The actions' words.
pub(super) const CANCEL: &str = "cancel";
pub(super) const REPLAY: &str = "replay";

/// Looks for actions whose worker died, as long as the router is there. Outside of an async runtime, nobody looks before
/// the first request.
pub(super) fn keep_going(service: &Arc<Service>) {
    let Ok(handle) = tokio::runtime::Handle::try_current() else { return };
    if !service.has_desk() {
        return;
    }
    let service = Arc::downgrade(service);
    handle.spawn(async move {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let Some(service) = Weak::upgrade(&service) else { return };
            if let Err(problem) = look(&service).await {
                tracing::debug!(error = problem.detail(), "cannot look for bulk actions");
            }
        }
    });
}

async fn look(service: &Arc<Service>) -> Result<(), Problem> {
    for id in service.desk().await?.bulks_left(TAKEN_AT_ONCE).await? {
        begin(service, id);
    }
    Ok(())
}

/// Begins to work on an action, unless another process is at it.
pub(super) fn begin(service: &Arc<Service>, id: BulkId) {
    let service = Arc::clone(service);
    tokio::spawn(async move {
        if let Err(problem) = work(&service, id).await {
            tracing::warn!(bulk = %id, error = problem.detail(), "a bulk action waits for its next worker");
        }
    });
}

async fn work(service: &Service, id: BulkId) -> Result<(), Problem> {
    let (desk, holder) = (service.desk().await?, clock::draw_token());
    if !desk.take_bulk(id, holder, LEASE).await? {
        return Ok(());
    }
    let Some(row) = desk.bulk(id).await? else { return Ok(()) };
    let bug = |error: serde_json::Error| Problem::new(Code::Internal, error.to_string());
    let options: Options = serde_json::from_str(&row.options).map_err(bug)?;
    loop {
        let runs = desk.open_items(id, RUNS_AT_ONCE).await?;
        if runs.is_empty() {
            desk.finish_bulk(id, holder).await?;
            return Ok(());
        }
        if !some(service, desk, &row, &options, holder, runs).await? {
            return Ok(());
        }
    }
}

/// Does the action to some of its runs; says whether the lease held.
async fn some(
    service: &Service,
    desk: &AccessStore,
    row: &BulkRow,
    options: &Options,
    holder: i64,
    runs: Vec<RunId>,
) -> Result<bool, Problem> {
    let named = |error: NameError| Problem::at("/task", error.to_string());
    let bulk = options.bulk(service, &row.action, &row.who, row.reason.as_deref(), runs).map_err(named)?;
    let bulk = row.rate.into_iter().fold(bulk.id(row.id), Bulk::rate);
    let mut answers = bulk.start().await?;
    let (mut kept, mut keep_at) = (Vec::new(), Instant::now() + KEEP_EVERY);
    loop {
        let next = tokio::time::timeout_at(keep_at, answers.next()).await;
        let over = matches!(next, Ok(None));
        kept.extend(next.ok().flatten().map(item));
        if over || kept.len() >= KEEP_MAX || Instant::now() >= keep_at {
            if !desk.answer_items(row.id, holder, LEASE, &kept).await? {
                return Ok(false);
            }
            kept.clear();
            keep_at = Instant::now() + KEEP_EVERY;
        }
        if over {
            return Ok(true);
        }
    }
}

fn item(answer: BulkAnswer) -> BulkItem {
    let done = |new_run| BulkItem {
        place: 0,
        run: answer.run,
        outcome: Some("ok".to_owned()),
        detail: None,
        new_run,
    };
    match answer.outcome {
        Ok(BulkDone::Replayed { run, .. }) => done(Some(run)),
        Ok(BulkDone::Cancelled(_)) => done(None),
        Err(error) => refused(answer.run, &error.into()),
    }
}

/// The answer for a run that nothing was done to.
pub(super) fn refused(run: RunId, problem: &Problem) -> BulkItem {
    BulkItem {
        place: 0,
        run,
        outcome: Some(problem.code().as_str().to_owned()),
        detail: Some(problem.detail().replace('\0', "␀")),
        new_run: None,
    }
}
