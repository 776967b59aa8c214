//! The statements of a list, from its source and its filter.

use sqlx::types::Uuid;

use super::super::rows::{corrupt, run_id};
use super::conditions::{Sql, push_conditions};
use super::driver::{Narrow, Read, Source, Table, push_candidates, push_narrow};
use crate::model::limits::{
    COUNT_MAX, ENDED_SPANS_MAX, FAILURE_GROUPS_MAX, GROUPED_RUNS_MAX, SEARCH_ROWS_MAX, SEEN_RUNS_MAX,
    SEEN_VALUE_CHARS_MAX, SEEN_VALUES_MAX,
};
use crate::model::{TaskName, Timestamp, WorkflowName};
use crate::store::{FailureGroup, RunQuery, StoreError};

/// What [`SummaryRecord`](super::super::summaries::SummaryRecord) reads.
const COLUMNS: &str = "r.id, r.namespace, r.workflow, r.version, r.key, r.status::text as status, r.owner, r.wake_at, \
    r.deadline_at, r.started_at, r.finished_at, r.parent, r.metadata::text as metadata, r.trigger, r.trigger_id, \
    r.trigger_key, r.replay_of, r.node, r.failed_task, r.error_kind, r.error_message, r.error_location, r.fingerprint, \
    r.caused_by, r.archived";

/// What is told of a group's newest run.
const EXAMPLE: &str =
    "select e.workflow, e.failed_task, e.error_kind, e.error_message, e.error_location from ";

/// Makes statements, or what explains them.
pub(super) struct Statements {
    pub(super) explaining: bool,
}

impl Statements {
    fn begin(&self) -> Sql {
        Sql::new(if self.explaining { "explain " } else { "" })
    }

    /// Finds the ids that a narrow index gives.
    pub(super) fn narrow(&self, query: &RunQuery, narrow: &Narrow<'_>) -> Sql {
        let mut sql = self.begin();
        push_narrow(&mut sql, query, narrow);
        sql
    }

    /// Reads a page, and one row more.
    pub(super) fn page(&self, query: &RunQuery, source: &Source) -> Sql {
        let mut sql = self.begin();
        sql.push("select ").push(COLUMNS).push(" from (");
        push_candidates(&mut sql, query, source, Read::Row, SEARCH_ROWS_MAX);
        sql.push(") r where ");
        push_conditions(&mut sql, query);
        sql.push(" order by r.id desc limit ").push_bind(i64::from(query.limit) + 1);
        sql
    }

    /// Finds the last of `limit` candidates, if there are as many.
    pub(super) fn boundary(&self, query: &RunQuery, source: &Source, limit: u32) -> Sql {
        let mut sql = self.begin();
        sql.push("select r.id from (");
        push_candidates(&mut sql, query, source, Read::Id, limit);
        sql.push(") r offset ").push_bind(i64::from(limit) - 1).push(" limit 1");
        sql
    }

    /// Counts by status.
    pub(super) fn count(&self, query: &RunQuery, source: &Source) -> Sql {
        let mut sql = self.begin();
        sql.push("select r.status::text, count(*) from (select r.status from (");
        push_candidates(&mut sql, query, source, Read::Row, SEARCH_ROWS_MAX);
        sql.push(") r where ");
        push_conditions(&mut sql, query);
        sql.push(" limit ").push_bind(i64::from(COUNT_MAX)).push(") r group by r.status");
        sql
    }

    /// Counts by the span of so many seconds in which they ended, and by status: the newest spans, and one more than are told.
    pub(super) fn ended(&self, query: &RunQuery, source: &Source, seconds: i64) -> Sql {
        let mut sql = self.begin();
        sql.push("select s.span, s.status, s.runs from (select r.span, r.status::text, count(*) as runs, ");
        sql.push("dense_rank() over (order by r.span desc) as place from (");
        sql.push("select floor(extract(epoch from r.finished_at) / ").push_bind(seconds);
        sql.push(")::bigint as span, r.status from (");
        push_candidates(&mut sql, query, source, Read::Row, GROUPED_RUNS_MAX);
        sql.push(") r where r.finished_at is not null and ");
        push_conditions(&mut sql, query);
        sql.push(") r group by r.span, r.status) s where s.place <= ");
        sql.push_bind(i64::from(ENDED_SPANS_MAX) + 1);
        sql
    }

    /// Tells what the newest runs have, the most frequent first.
    pub(super) fn seen(&self, query: &RunQuery, source: &Source) -> Sql {
        let mut sql = self.begin();
        sql.push("with r as materialized (");
        push_candidates(&mut sql, query, source, Read::Row, SEEN_RUNS_MAX);
        sql.push(
            ") select s.name, s.value from ( \
             select v.name, v.value, row_number() over (partition by v.name order by count(*) desc, v.value collate \"C\") as place \
             from r cross join lateral ( \
             select 'workflow' as name, r.workflow as value union all select 'version', r.version \
             union all select 'failed_task', r.failed_task union all select 'kind', r.error_kind \
             union all select 'meta.' || m.key, m.value from jsonb_each_text(r.metadata) m) v \
             where length(v.value) <= ",
        );
        sql.push_bind(SEEN_VALUE_CHARS_MAX.cast_signed());
        sql.push(" group by v.name, v.value) s where s.place <= ").push_bind(i64::from(SEEN_VALUES_MAX));
        sql.push(" order by s.name, s.place");
        sql
    }

    /// Groups failures by their fingerprint, with one group more than are told.
    pub(super) fn failures(&self, query: &RunQuery, source: &Source) -> Sql {
        let mut sql = self.begin();
        sql.push(
            "select g.*, r.workflow, r.failed_task, r.error_kind, r.error_message, r.error_location from ( \
             select r.fingerprint, count(*) as count, min(r.finished_at) as first, max(r.finished_at) as last, \
             max(r.id::text collate \"C\")::uuid as newest from (",
        );
        push_candidates(&mut sql, query, source, Read::Row, GROUPED_RUNS_MAX);
        sql.push(") r where r.fingerprint is not null and r.finished_at is not null and ");
        push_conditions(&mut sql, query);
        sql.push(" group by r.fingerprint order by count desc, newest desc limit ");
        sql.push_bind(i64::from(FAILURE_GROUPS_MAX) + 1);
        sql.push(") g cross join lateral (");
        for (at, table) in Table::of(&query.filter).into_iter().enumerate() {
            sql.push(if at == 0 { "" } else { " union all " });
            sql.push(EXAMPLE).push(table.name()).push(" e where e.id = g.newest");
        }
        sql.push(") r order by g.count desc, g.newest desc");
        sql
    }
}

/// A group of failures.
#[derive(sqlx::FromRow)]
pub(super) struct GroupRecord {
    fingerprint: String,
    count: i64,
    first: Timestamp,
    last: Timestamp,
    newest: Uuid,
    workflow: String,
    failed_task: Option<String>,
    error_kind: Option<String>,
    error_message: Option<String>,
    error_location: Option<String>,
}

impl TryFrom<GroupRecord> for FailureGroup {
    type Error = StoreError;

    fn try_from(record: GroupRecord) -> Result<FailureGroup, StoreError> {
        let missing =
            || corrupt("runlog.runs", "error_kind", &record.newest, "null beside a fingerprint".to_owned());
        Ok(FailureGroup {
            count: u64::try_from(record.count).unwrap_or_default(),
            workflow: WorkflowName::recorded(&record.workflow),
            task: record.failed_task.as_deref().map(TaskName::recorded),
            kind: record.error_kind.clone().ok_or_else(missing)?,
            message: record.error_message.unwrap_or_default(),
            location: record.error_location,
            first: record.first,
            last: record.last,
            newest: run_id("runlog.runs", "newest", record.newest)?,
            fingerprint: record.fingerprint,
        })
    }
}
