//! What holds runs back.

use std::time::Duration;

use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::PostgresStore;
use super::columns::json;
use super::dedicated::within;
use super::errors::classify;
use super::rows::{corrupt, run_ids};
use crate::model::limit::{Debounce, Limit, Policy, Rate};
use crate::model::limits::SEARCH_ROWS_MAX;
use crate::model::{Namespace, RunId, Timestamp, WorkflowName};
use crate::store::{Answer, AtGate, Flow, KnownLimit, LimitKey, NewPause, Pause, Shape, StoreError};

/// A row of `runlog.pauses`.
struct PauseRecord {
    workflow: String,
    namespace: String,
    since: Timestamp,
    who: Option<String>,
    reason: Option<String>,
}

impl From<PauseRecord> for Pause {
    fn from(row: PauseRecord) -> Pause {
        Pause {
            workflow: WorkflowName::recorded(&row.workflow),
            namespace: Namespace::recorded(&row.namespace),
            since: row.since,
            by: row.who,
            reason: row.reason,
        }
    }
}

fn count(n: i64) -> u32 {
    u32::try_from(n).unwrap_or_default()
}

fn length(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or_default())
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

/// Reads a limit.
pub(super) fn limit(
    workflow: &str,
    name: String,
    slots: i32,
    rate: (Option<i32>, Option<i64>),
    debounce: (Option<i64>, Option<i64>),
    policy: &str,
    key_by: &str,
) -> Result<Limit, StoreError> {
    let unknown = || {
        let message = format!("{policy:?} is no policy: a newer release wrote it");
        corrupt("runlog.limits", "policy", &workflow, message)
    };
    let policy = Policy::named(policy).ok_or_else(unknown)?;
    let unreadable =
        |error: serde_json::Error| corrupt("runlog.limits", "key_by", &workflow, error.to_string());
    let by = serde_json::from_str(key_by).map_err(unreadable)?;
    let rate = match rate {
        (Some(starts), Some(window_ms)) => {
            Some(Rate { starts: count(starts.into()), window: length(window_ms) })
        }
        _ => None,
    };
    let (quiet_ms, max_wait_ms) = debounce;
    let debounce =
        quiet_ms.map(|quiet_ms| Debounce { quiet: length(quiet_ms), max_wait: max_wait_ms.map(length) });
    Ok(Limit { name, slots: count(slots.into()), rate, debounce, policy, by })
}

/// Sets the limits of workflows, as their newest versions have them.
pub(super) async fn register(connection: &mut PgConnection, workflows: &[Shape]) -> Result<(), StoreError> {
    let (mut names, mut limits, mut slots) = (Vec::new(), Vec::new(), Vec::new());
    let (mut policies, mut sources, mut unlimited) = (Vec::new(), Vec::new(), Vec::new());
    let (mut starts, mut windows, mut quiets, mut max_waits) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for shape in workflows {
        let Some(limit) = &shape.limit else {
            unlimited.push(shape.workflow.as_str());
            continue;
        };
        names.push(shape.workflow.as_str());
        limits.push(limit.name.as_str());
        slots.push(i32::try_from(limit.slots).unwrap_or(i32::MAX));
        policies.push(limit.policy.as_str());
        sources.push(json(&limit.by)?);
        starts.push(limit.rate.map(|rate| i32::try_from(rate.starts).unwrap_or(i32::MAX)));
        windows.push(limit.rate.map(|rate| millis(rate.window)));
        quiets.push(limit.debounce.map(|debounce| millis(debounce.quiet)));
        max_waits.push(limit.debounce.and_then(|debounce| debounce.max_wait).map(millis));
    }
    let registered = sqlx::query_file!(
        "src/store/postgres/sql/register_limits.sql",
        unlimited.as_slice() as _,
        names.as_slice() as _,
        limits.as_slice() as _,
        slots.as_slice() as _,
        policies.as_slice() as _,
        sources.as_slice() as _,
        starts.as_slice() as _,
        windows.as_slice() as _,
        quiets.as_slice() as _,
        max_waits.as_slice() as _
    );
    registered.execute(connection).await.map_err(classify).map(drop)
}

impl Flow for PostgresStore {
    fn pause<'a>(&'a self, pause: &'a NewPause) -> Answer<'a, bool> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let paused = sqlx::query_file!(
                "src/store/postgres/sql/pause.sql",
                pause.workflow.as_str(),
                pause.namespace.as_str(),
                pause.by.as_deref(),
                pause.reason.as_deref()
            );
            let answer = paused.execute(&mut *borrowed).await.map_err(classify);
            borrowed.settle(answer.map(|done| done.rows_affected() > 0)).await
        }))
    }

    fn resume<'a>(&'a self, workflow: &'a WorkflowName, namespace: &'a Namespace) -> Answer<'a, bool> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let resumed =
                sqlx::query_file!("src/store/postgres/sql/resume.sql", workflow.as_str(), namespace.as_str());
            let answer = resumed.execute(&mut *borrowed).await.map_err(classify);
            borrowed.settle(answer.map(|done| done.rows_affected() > 0)).await
        }))
    }

    fn pauses<'a>(&'a self, namespace: Option<&'a Namespace>, limit: u32) -> Answer<'a, Vec<Pause>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let namespace = namespace.map(|namespace| namespace.as_str());
            let pauses = sqlx::query_file_as!(
                PauseRecord,
                "src/store/postgres/sql/pauses.sql",
                namespace,
                i64::from(limit)
            );
            let answer = pauses.fetch_all(&mut *borrowed).await.map_err(classify);
            borrowed.settle(answer.map(|rows| rows.into_iter().map(Pause::from).collect())).await
        }))
    }

    fn pause_of<'a>(
        &'a self,
        workflow: &'a WorkflowName,
        namespace: &'a Namespace,
    ) -> Answer<'a, Option<Pause>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let pause = sqlx::query_file_as!(
                PauseRecord,
                "src/store/postgres/sql/pause_of.sql",
                workflow.as_str(),
                namespace.as_str()
            );
            let answer = pause.fetch_optional(&mut *borrowed).await.map_err(classify);
            borrowed.settle(answer.map(|row| row.map(Pause::from))).await
        }))
    }

    fn at_gate(&self, run: RunId) -> Answer<'_, Option<AtGate>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let found = sqlx::query_file!("src/store/postgres/sql/at_gate.sql", run.uuid());
            let answer = found.fetch_optional(&mut *borrowed).await.map_err(classify);
            let at = answer.map(|row| {
                row.map(|row| AtGate {
                    limit: row.name,
                    key: row.key,
                    running: count(row.running),
                    slots: row.slots.map(|slots| count(slots.into())),
                    until: row.until,
                    quiet_at: row.quiet_at,
                })
            });
            borrowed.settle(at).await
        }))
    }

    fn limits<'a>(&'a self, workflow: Option<&'a WorkflowName>, rows: u32) -> Answer<'a, Vec<KnownLimit>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let workflow = workflow.map(WorkflowName::as_str);
            let found = sqlx::query_file!("src/store/postgres/sql/limits.sql", workflow, i64::from(rows));
            let answer = found.fetch_all(&mut *borrowed).await.map_err(classify);
            let limits = answer.and_then(|rows| {
                let known = rows.into_iter().map(|row| {
                    let rate = (row.starts, row.window_ms);
                    let debounce = (row.quiet_ms, row.max_wait_ms);
                    let (policy, key_by) = (&row.policy, &row.key_by);
                    let limit = limit(&row.workflow, row.name, row.slots, rate, debounce, policy, key_by)?;
                    let workflow = WorkflowName::recorded(&row.workflow);
                    Ok(KnownLimit { workflow, limit, since: row.since })
                });
                known.collect()
            });
            borrowed.settle(limits).await
        }))
    }

    fn limit_keys<'a>(
        &'a self,
        workflow: &'a WorkflowName,
        namespace: Option<&'a Namespace>,
        rows: u32,
    ) -> Answer<'a, Vec<LimitKey>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let found = sqlx::query_file!(
                "src/store/postgres/sql/limit_keys.sql",
                workflow.as_str(),
                namespace.map(|namespace| namespace.as_str()),
                i64::from(rows),
                i64::from(SEARCH_ROWS_MAX)
            );
            let answer = found.fetch_all(&mut *borrowed).await.map_err(classify);
            let keys = answer.map(|rows| {
                let keys = rows.into_iter().map(|row| LimitKey {
                    namespace: Namespace::recorded(&row.namespace),
                    key: row.key,
                    running: count(row.running),
                    waiting: count(row.waiting),
                });
                keys.collect()
            });
            borrowed.settle(keys).await
        }))
    }

    fn held_back<'a>(&'a self, runs: &'a [RunId]) -> Answer<'a, Vec<RunId>> {
        Box::pin(within(async move {
            let ids: Vec<Uuid> = runs.iter().map(|run| run.uuid()).collect();
            let mut borrowed = self.borrow().await?;
            let held = sqlx::query_file_scalar!("src/store/postgres/sql/held_back.sql", ids.as_slice() as _);
            let answer = held.fetch_all(&mut *borrowed).await.map_err(classify).and_then(run_ids);
            borrowed.settle(answer).await
        }))
    }
}
