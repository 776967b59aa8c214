//! Schedules: their rows, and the statement that starts their occurrences.

use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::PostgresStore;
use super::columns::{Births, Events, json};
use super::dedicated::within;
use super::errors::classify;
use super::nodes::interval;
use super::rows::{corrupt, run_id};
use crate::model::limits::{OCCURRENCE_KEPT, SCHEDULE_KEPT};
use crate::model::{Namespace, Payload, ScheduleName, Timestamp, WorkflowName};
use crate::store::{
    Answer, Firing, NewSchedule, NextSchedule, Put, ScheduleQuery, ScheduleRow, ScheduleSpec, Schedules,
    Steer, StoreError, Times,
};

/// One-off schedules that one call of [`Schedules::sweep_schedules`] removes.
const SWEPT_MAX: i64 = 1_000;

impl Schedules for PostgresStore {
    fn put_schedules<'a>(&'a self, new: &'a [NewSchedule], replace: bool) -> Answer<'a, Vec<Put>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = put(&mut borrowed, new, replace).await;
            borrowed.settle(answer).await
        }))
    }

    fn schedules_named<'a>(
        &'a self,
        namespace: &'a Namespace,
        names: &'a [ScheduleName],
    ) -> Answer<'a, Vec<ScheduleRow>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = named(&mut borrowed, namespace, names).await;
            borrowed.settle(answer).await
        }))
    }

    fn schedules<'a>(&'a self, query: &'a ScheduleQuery) -> Answer<'a, Vec<ScheduleRow>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = list(&mut borrowed, query).await;
            borrowed.settle(answer).await
        }))
    }

    fn steer_schedules<'a>(&'a self, steers: &'a [Steer]) -> Answer<'a, Vec<bool>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = steer(&mut borrowed, steers).await;
            borrowed.settle(answer).await
        }))
    }

    fn delete_schedules<'a>(
        &'a self,
        namespace: &'a Namespace,
        names: &'a [ScheduleName],
    ) -> Answer<'a, Vec<ScheduleName>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = delete(&mut borrowed, namespace, names).await;
            borrowed.settle(answer).await
        }))
    }

    fn next_schedule(&self) -> Answer<'_, NextSchedule> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = next(&mut borrowed).await;
            borrowed.settle(answer).await
        }))
    }

    fn due_schedules(&self, limit: u32) -> Answer<'_, Vec<ScheduleRow>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = due(&mut borrowed, limit).await;
            borrowed.settle(answer).await
        }))
    }

    fn fire<'a>(&'a self, firings: &'a [Firing]) -> Answer<'a, Vec<bool>> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let answer = fire(&mut borrowed, firings).await;
            borrowed.settle(answer).await
        }))
    }

    fn note_schedule_failure<'a>(
        &'a self,
        schedule: i64,
        revision: i32,
        failure: &'a str,
        retry_at: Timestamp,
    ) -> Answer<'a, ()> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let noted = sqlx::query_file!(
                "src/store/postgres/sql/fail_schedule.sql",
                schedule,
                revision,
                failure,
                retry_at
            );
            let answer = noted.execute(&mut *borrowed).await.map_err(classify).map(drop);
            borrowed.settle(answer).await
        }))
    }

    fn sweep_schedules(&self) -> Answer<'_, u64> {
        Box::pin(within(async move {
            let mut borrowed = self.borrow().await?;
            let swept = sqlx::query_file!(
                "src/store/postgres/sql/sweep_schedules.sql",
                interval(SCHEDULE_KEPT),
                SWEPT_MAX
            );
            let answer = swept.execute(&mut *borrowed).await.map_err(classify);
            borrowed.settle(answer.map(|done| done.rows_affected())).await
        }))
    }
}

async fn put(
    connection: &mut PgConnection,
    new: &[NewSchedule],
    replace: bool,
) -> Result<Vec<Put>, StoreError> {
    let specs = || new.iter().map(|new| &new.spec);
    let texts = |text: fn(&ScheduleSpec) -> &str| specs().map(text).collect::<Vec<_>>();
    let (namespaces, names) = (texts(|spec| spec.namespace.as_str()), texts(|spec| spec.name.as_str()));
    let (workflows, inputs) = (texts(|spec| spec.workflow.as_str()), texts(|spec| spec.input.text()));
    let crons: Vec<_> = specs().map(|spec| spec.times.expression()).collect();
    let zones: Vec<_> = specs().map(|spec| spec.times.zone()).collect();
    let once: Vec<_> = specs().map(|spec| spec.times.once()).collect();
    let metadata = specs().map(|spec| json(&spec.metadata)).collect::<Result<Vec<_>, _>>()?;
    let priorities: Vec<_> = specs().map(|spec| spec.priority).collect();
    let misfires: Vec<_> = specs().map(|spec| spec.misfire.to_string()).collect();
    let declared: Vec<_> = new.iter().map(|new| new.declared).collect();
    let next: Vec<_> = new.iter().map(|new| new.next_at).collect();
    let by: Vec<_> = new.iter().map(|new| new.by.as_deref()).collect();
    let written = sqlx::query_file!(
        "src/store/postgres/sql/put_schedules.sql",
        namespaces.as_slice() as _,
        names.as_slice() as _,
        workflows.as_slice() as _,
        crons.as_slice() as _,
        zones.as_slice() as _,
        once.as_slice() as _,
        inputs.as_slice() as _,
        metadata.as_slice() as _,
        priorities.as_slice() as _,
        misfires.as_slice() as _,
        declared.as_slice() as _,
        next.as_slice() as _,
        by.as_slice() as _,
        replace
    );
    let written = written.fetch_all(connection).await.map_err(classify)?;
    let put = |spec: &ScheduleSpec| {
        let row = written
            .iter()
            .find(|row| row.namespace == *spec.namespace.as_str() && row.name == *spec.name.as_str());
        Put::of(row.map(|row| row.created))
    };
    Ok(specs().map(put).collect())
}

/// A row of the table.
struct Record {
    id: i64,
    namespace: String,
    name: String,
    workflow: String,
    cron: Option<String>,
    zone: Option<String>,
    once_at: Option<Timestamp>,
    input: String,
    metadata: String,
    priority: i16,
    misfire: String,
    declared: bool,
    created_at: Timestamp,
    created_by: Option<String>,
    revision: i32,
    paused_at: Option<Timestamp>,
    paused_by: Option<String>,
    next_at: Option<Timestamp>,
    last_due: Option<Timestamp>,
    last_run: Option<Uuid>,
    fired: i64,
    failure: Option<String>,
    failures: i32,
    ended_at: Option<Timestamp>,
}

impl TryFrom<Record> for ScheduleRow {
    type Error = StoreError;

    fn try_from(row: Record) -> Result<ScheduleRow, StoreError> {
        let bad = |column, message: String| corrupt("runlog.schedules", column, &row.id.to_string(), message);
        let times = match (row.cron, row.zone, row.once_at) {
            (Some(expression), Some(zone), _) => Times::Cron { expression, zone },
            (_, _, Some(at)) => Times::At(at),
            _ => return Err(bad("cron", "neither an expression nor an instant".to_owned())),
        };
        let spec = ScheduleSpec {
            namespace: Namespace::recorded(&row.namespace),
            name: ScheduleName::recorded(&row.name),
            workflow: WorkflowName::recorded(&row.workflow),
            times,
            input: Payload::parse(row.input).map_err(|error| bad("input", error.to_string()))?,
            metadata: serde_json::from_str(&row.metadata)
                .map_err(|error| bad("metadata", error.to_string()))?,
            priority: row.priority,
            misfire: row.misfire.parse().map_err(|error| bad("misfire", format!("{error}")))?,
        };
        let last_run = row.last_run.map(|run| run_id("runlog.schedules", "last_run", run));
        Ok(ScheduleRow {
            id: row.id,
            spec,
            declared: row.declared,
            created_at: row.created_at,
            created_by: row.created_by,
            revision: row.revision,
            paused_at: row.paused_at,
            paused_by: row.paused_by,
            next_at: row.next_at,
            last_due: row.last_due,
            last_run: last_run.transpose()?,
            fired: u64::try_from(row.fired).unwrap_or_default(),
            failure: row.failure,
            failures: u32::try_from(row.failures).unwrap_or_default(),
            ended_at: row.ended_at,
        })
    }
}

fn rows(records: Vec<Record>) -> Result<Vec<ScheduleRow>, StoreError> {
    records.into_iter().map(ScheduleRow::try_from).collect()
}

async fn named(
    connection: &mut PgConnection,
    namespace: &Namespace,
    names: &[ScheduleName],
) -> Result<Vec<ScheduleRow>, StoreError> {
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    let found = sqlx::query_file_as!(
        Record,
        "src/store/postgres/sql/schedules_named.sql",
        namespace.as_str(),
        names.as_slice() as _
    );
    rows(found.fetch_all(connection).await.map_err(classify)?)
}

async fn list(connection: &mut PgConnection, query: &ScheduleQuery) -> Result<Vec<ScheduleRow>, StoreError> {
    let found = sqlx::query_file_as!(
        Record,
        "src/store/postgres/sql/schedules.sql",
        query.namespace.as_ref().map(|namespace| namespace.as_str()),
        query.workflow.as_ref().map(|workflow| workflow.as_str()),
        query.prefix.as_deref(),
        query.after.as_ref().map(|(namespace, _)| namespace.as_str()),
        query.after.as_ref().map(|(_, name)| name.as_str()),
        i64::from(query.limit)
    );
    rows(found.fetch_all(connection).await.map_err(classify)?)
}

async fn due(connection: &mut PgConnection, limit: u32) -> Result<Vec<ScheduleRow>, StoreError> {
    let found = sqlx::query_file_as!(Record, "src/store/postgres/sql/due_schedules.sql", i64::from(limit));
    rows(found.fetch_all(connection).await.map_err(classify)?)
}

async fn next(connection: &mut PgConnection) -> Result<NextSchedule, StoreError> {
    let next = sqlx::query_file!("src/store/postgres/sql/next_schedule.sql");
    let next = next.fetch_one(connection).await.map_err(classify)?;
    Ok(NextSchedule { wake_at: next.wake_at, now: next.now })
}

async fn steer(connection: &mut PgConnection, steers: &[Steer]) -> Result<Vec<bool>, StoreError> {
    let ids: Vec<_> = steers.iter().map(|steer| steer.schedule).collect();
    let revisions: Vec<_> = steers.iter().map(|steer| steer.revision).collect();
    let next: Vec<_> = steers.iter().map(|steer| steer.next_at).collect();
    let once: Vec<_> = steers.iter().map(|steer| steer.once_at).collect();
    let paused_by: Vec<_> = steers.iter().map(|steer| steer.paused_by.as_deref()).collect();
    let steered = sqlx::query_file_scalar!(
        "src/store/postgres/sql/steer_schedules.sql",
        ids.as_slice() as _,
        revisions.as_slice() as _,
        next.as_slice() as _,
        once.as_slice() as _,
        paused_by.as_slice() as _,
    );
    let steered: Vec<i64> = steered.fetch_all(connection).await.map_err(classify)?;
    Ok(steers.iter().map(|steer| steered.contains(&steer.schedule)).collect())
}

async fn delete(
    connection: &mut PgConnection,
    namespace: &Namespace,
    names: &[ScheduleName],
) -> Result<Vec<ScheduleName>, StoreError> {
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    let deleted = sqlx::query_file_scalar!(
        "src/store/postgres/sql/delete_schedules.sql",
        namespace.as_str(),
        names.as_slice() as _
    );
    let deleted: Vec<String> = deleted.fetch_all(connection).await.map_err(classify)?;
    Ok(deleted.iter().map(|name| ScheduleName::recorded(name)).collect())
}

async fn fire(connection: &mut PgConnection, firings: &[Firing]) -> Result<Vec<bool>, StoreError> {
    let (mut births, mut events) = (Births::default(), Events::default());
    let (mut schedules, mut dues, mut runs) = (Vec::new(), Vec::new(), Vec::new());
    for firing in firings {
        for (due, append) in &firing.occurrences {
            let new = append.born.as_deref().filter(|new| new.key.is_none() && new.parent.is_none());
            let bug = || StoreError::Bug { message: format!("run {} is no occurrence's", append.run) };
            let new = new.ok_or_else(bug)?;
            births.push_queued(append, new)?;
            events.push(append, None)?;
            schedules.push(firing.schedule);
            dues.push(*due);
            runs.push(append.run.uuid());
        }
    }
    let ids: Vec<_> = firings.iter().map(|firing| firing.schedule).collect();
    let revisions: Vec<_> = firings.iter().map(|firing| firing.revision).collect();
    let next: Vec<_> = firings.iter().map(|firing| firing.next_at).collect();
    let moved = sqlx::query_file_scalar!(
        "src/store/postgres/sql/fire.sql",
        births.ids.as_slice() as _,
        births.namespaces.as_slice() as _,
        births.workflows.as_slice() as _,
        births.versions.as_slice() as _,
        births.priorities.as_slice() as _,
        births.wake_ats.as_slice() as _,
        births.deadlines.as_slice() as _,
        births.created_ats.as_slice() as _,
        births.metadata.as_slice() as _,
        births.triggers.as_slice() as _,
        births.trigger_keys.as_slice() as _,
        events.runs.as_slice() as _,
        events.seqs.as_slice() as _,
        events.kinds.as_slice() as _,
        events.schema_versions.as_slice() as _,
        events.payloads.as_slice() as _,
        schedules.as_slice() as _,
        dues.as_slice() as _,
        runs.as_slice() as _,
        ids.as_slice() as _,
        revisions.as_slice() as _,
        next.as_slice() as _,
        interval(OCCURRENCE_KEPT),
        births.limit_keys.as_slice() as _,
    );
    let moved: Vec<i64> = moved.fetch_all(connection).await.map_err(classify)?;
    Ok(firings.iter().map(|firing| moved.contains(&firing.schedule)).collect())
}
