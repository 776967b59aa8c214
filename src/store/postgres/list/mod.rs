//! Lists, counts and groups of runs.
//!
//! The one place where a statement is not a file: which terms a filter has is known when it is asked. Each statement reads
//! an index that [`driver`] chose and stops at a limit, in a transaction that cannot write and must end soon.

mod conditions;
mod driver;
mod statements;

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::types::Uuid;
use sqlx::{PgPool, PgTransaction};

use self::driver::{
    BRANCHES_MAX, Narrow, Source, Table, branches, is_narrowed_alike, narrow, parts_of, tasks,
};
use self::statements::{GroupRecord, Statements};
use super::errors::classify;
use super::rows::run_id;
use super::summaries::SummaryRecord;
use crate::model::limits::{
    COUNT_MAX, ENDED_SPANS_MAX, FAILURE_GROUPS_MAX, GROUPED_RUNS_MAX, NARROW_ROWS_MAX, SEARCH_ROWS_MAX,
};
use crate::model::{Filter, Namespace, RunSummary, Status, Timestamp};
use crate::store::{
    EndedSpan, FailureGroup, FailureGroups, RunCount, RunPage, RunQuery, RunsEnded, Seen, StoreError, Survey,
};

/// Ends a question that takes longer than a person waits. Without a sort there is nothing to read before the first row:
/// the indexes have the order. With pages that cost nothing the planner counts rows: what is common is not everywhere, so
/// the index of one workflow beats that of all ids, which may have to be read far until one of its runs comes.
const BEGIN: &str = "begin isolation level repeatable read read only; \
    set local statement_timeout = '2s'; set local jit = off; \
    set local enable_seqscan = off; set local enable_sort = off; \
    set local seq_page_cost = 0; set local random_page_cost = 0";

pub(super) async fn list(pool: &PgPool, query: &RunQuery) -> Result<RunPage, StoreError> {
    let mut asked = Asked::begin(pool, query).await?;
    let page = asked.page(query).await?;
    asked.end().await?;
    Ok(page)
}

pub(super) async fn count(pool: &PgPool, query: &RunQuery) -> Result<RunCount, StoreError> {
    let mut asked = Asked::begin(pool, query).await?;
    let count = asked.count(query).await?;
    asked.end().await?;
    Ok(count)
}

pub(super) async fn failures(pool: &PgPool, query: &RunQuery) -> Result<FailureGroups, StoreError> {
    let mut asked = Asked::begin(pool, query).await?;
    let groups = asked.failures(query).await?;
    asked.end().await?;
    Ok(groups)
}

pub(super) async fn ended(pool: &PgPool, query: &RunQuery, every: Duration) -> Result<RunsEnded, StoreError> {
    let mut asked = Asked::begin(pool, query).await?;
    let ended = asked.ended(query, every).await?;
    asked.end().await?;
    Ok(ended)
}

pub(super) async fn seen(pool: &PgPool, namespace: &Namespace) -> Result<Seen, StoreError> {
    let query = every(namespace);
    let mut asked = Asked::begin(pool, &query).await?;
    let mut sql = STATEMENTS.seen(&query, &asked.source);
    let rows = sql.build_query_as::<(String, String)>().persistent(false);
    let rows = rows.fetch_all(&mut *asked.transaction).await.map_err(classify)?;
    asked.end().await?;
    let mut seen = Seen::default();
    rows.into_iter().for_each(|(key, value)| seen.add(&key, value));
    Ok(seen)
}

/// All runs of a namespace.
fn every(namespace: &Namespace) -> RunQuery {
    let (filter, now) = (Filter::default(), Timestamp::UNIX_EPOCH);
    RunQuery { namespace: namespace.clone(), filter, now, before: None, limit: 1 }
}

/// Answers all three from the same runs; ids that a narrow index gave are not looked for again.
pub(super) async fn survey(
    pool: &PgPool,
    listed: &RunQuery,
    counted: &RunQuery,
    failed: &RunQuery,
) -> Result<Survey, StoreError> {
    let mut asked = Asked::begin(pool, listed).await?;
    let page = asked.page(listed).await?;
    asked.source = asked.source(counted).await?;
    let count = asked.count(counted).await?;
    asked.source = asked.source(failed).await?;
    let failures = asked.failures(failed).await?;
    asked.end().await?;
    Ok(Survey { page, count, failures })
}

/// Explains every statement that a query may take, as the server would carry it out.
#[cfg(feature = "testing")]
pub(super) async fn explain(pool: &PgPool, query: &RunQuery) -> Result<Vec<String>, StoreError> {
    let mut asked = Asked::begin(pool, query).await?;
    let explaining = Statements { explaining: true };
    let mut plans = Vec::new();
    let newest = Source::Newest(branches(query, None));
    let mut all = vec![explaining.boundary(query, &newest, SEARCH_ROWS_MAX)];
    for source in [&asked.source, &newest] {
        all.extend([
            explaining.page(query, source),
            explaining.count(query, source),
            explaining.failures(query, source),
            explaining.ended(query, source, 3_600),
            explaining.seen(query, source),
        ]);
    }
    all.extend(narrow(&query.filter).map(|narrow| explaining.narrow(query, &narrow)));
    for mut sql in all {
        let lines = sql.build_query_scalar::<String>().persistent(false);
        let lines = lines.fetch_all(&mut *asked.transaction).await.map_err(classify)?;
        plans.push(format!("{}\n{}", sql.sql().as_str(), lines.join("\n")));
    }
    asked.end().await?;
    Ok(plans)
}

/// A question under way: all its statements see the same runs.
struct Asked {
    transaction: PgTransaction<'static>,
    source: Source,
    /// What the narrow index of a query gave.
    narrowed: Option<(RunQuery, Vec<Uuid>)>,
}

const STATEMENTS: Statements = Statements { explaining: false };

impl Asked {
    async fn begin(pool: &PgPool, query: &RunQuery) -> Result<Asked, StoreError> {
        let transaction = pool.begin_with(BEGIN).await.map_err(classify)?;
        let mut asked = Asked { transaction, source: Source::Ids(Vec::new()), narrowed: None };
        asked.source = asked.source(query).await?;
        Ok(asked)
    }

    async fn end(self) -> Result<(), StoreError> {
        self.transaction.rollback().await.map_err(classify)
    }

    /// Decides where the rows come from.
    async fn source(&mut self, query: &RunQuery) -> Result<Source, StoreError> {
        let filter = &query.filter;
        let is_anywhere = filter.may_be_archived() || filter.may_be_unarchived();
        if filter.statuses().is_empty() || !is_anywhere {
            return Ok(Source::Ids(Vec::new()));
        }
        if let Some(narrow) = narrow(&query.filter) {
            let ids = self.narrowed(query, &narrow).await?;
            if ids.len() <= NARROW_ROWS_MAX as usize {
                return Ok(Source::Ids(ids));
            }
        }
        let of_tasks = match tasks(&query.filter) {
            None => None,
            Some(tasks) => Some(self.workflows_of(&tasks).await?),
        };
        let branches = branches(query, of_tasks);
        let nowhere = parts_of(&Table::of(filter), &branches).next().is_none();
        Ok(if nowhere { Source::Ids(Vec::new()) } else { Source::Newest(branches) })
    }

    /// Reads the ids that a narrow index gives, one more than are wanted.
    async fn narrowed(&mut self, query: &RunQuery, narrow: &Narrow<'_>) -> Result<Vec<Uuid>, StoreError> {
        if let Some((_, ids)) = self.narrowed.as_ref().filter(|(of, _)| is_narrowed_alike(of, query)) {
            return Ok(ids.clone());
        }
        let mut sql = STATEMENTS.narrow(query, narrow);
        let ids = sql.build_query_scalar::<Uuid>().persistent(false);
        let ids = ids.fetch_all(&mut *self.transaction).await.map_err(classify)?;
        self.narrowed = Some((query.clone(), ids.clone()));
        Ok(ids)
    }

    /// Names the workflows that have one of these tasks, one more than are merged.
    async fn workflows_of(&mut self, tasks: &[&str]) -> Result<Vec<String>, StoreError> {
        let limit = i64::try_from(BRANCHES_MAX + 1).unwrap_or(i64::MAX);
        let names = sqlx::query_file_scalar!("src/store/postgres/sql/workflows_of.sql", tasks as _, limit);
        names.fetch_all(&mut *self.transaction).await.map_err(classify)
    }

    async fn page(&mut self, query: &RunQuery) -> Result<RunPage, StoreError> {
        let mut sql = STATEMENTS.page(query, &self.source);
        let rows = sql.build_query_as::<SummaryRecord>().persistent(false);
        let rows = rows.fetch_all(&mut *self.transaction).await.map_err(classify)?;
        let mut runs = rows.into_iter().map(RunSummary::try_from).collect::<Result<Vec<_>, _>>()?;
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        if runs.len() > limit {
            runs.truncate(limit);
            let next = runs.last().map(|run| run.run);
            return Ok(RunPage { runs, next, searched_to: None });
        }
        let next = self
            .boundary(query, SEARCH_ROWS_MAX)
            .await?
            .map(|id| run_id("runlog.runs", "id", id))
            .transpose()?;
        Ok(RunPage { runs, next, searched_to: next.map(|run| run.created_at()) })
    }

    /// Finds the last row that was looked at, of at most `limit`, if there may be more after it.
    async fn boundary(&mut self, query: &RunQuery, limit: u32) -> Result<Option<Uuid>, StoreError> {
        match &self.source {
            Source::Ids(_) => Ok(None),
            Source::Newest(_) => {
                let mut sql = STATEMENTS.boundary(query, &self.source, limit);
                let last = sql.build_query_scalar::<Uuid>().persistent(false);
                last.fetch_optional(&mut *self.transaction).await.map_err(classify)
            }
        }
    }

    async fn count(&mut self, query: &RunQuery) -> Result<RunCount, StoreError> {
        let mut sql = STATEMENTS.count(query, &self.source);
        let rows = sql.build_query_as::<(String, i64)>().persistent(false);
        let rows = rows.fetch_all(&mut *self.transaction).await.map_err(classify)?;
        let mut by_status = BTreeMap::new();
        for (word, runs) in rows {
            by_status.extend([counted(&word, runs)?]);
        }
        let mut count = RunCount { by_status, capped: true };
        count.capped =
            count.total() >= u64::from(COUNT_MAX) || self.boundary(query, SEARCH_ROWS_MAX).await?.is_some();
        Ok(count)
    }

    async fn ended(&mut self, query: &RunQuery, every: Duration) -> Result<RunsEnded, StoreError> {
        let seconds = i64::try_from(every.as_secs()).unwrap_or(i64::MAX).max(1);
        let mut sql = STATEMENTS.ended(query, &self.source, seconds);
        let rows = sql.build_query_as::<(i64, String, i64)>().persistent(false);
        let rows = rows.fetch_all(&mut *self.transaction).await.map_err(classify)?;
        let mut spans: BTreeMap<i64, BTreeMap<Status, u64>> = BTreeMap::new();
        for (number, word, runs) in rows {
            spans.entry(number).or_default().extend([counted(&word, runs)?]);
        }
        let left_out = spans.len().saturating_sub(ENDED_SPANS_MAX as usize);
        let spans = spans.into_iter().skip(left_out).map(|(number, by_status)| {
            let from = Timestamp::from_timestamp(number.saturating_mul(seconds), 0).unwrap_or_default();
            EndedSpan { from, by_status }
        });
        let spans = spans.collect();
        let capped = left_out > 0 || self.boundary(query, GROUPED_RUNS_MAX).await?.is_some();
        Ok(RunsEnded { spans, capped })
    }

    async fn failures(&mut self, query: &RunQuery) -> Result<FailureGroups, StoreError> {
        let mut sql = STATEMENTS.failures(query, &self.source);
        let rows = sql.build_query_as::<GroupRecord>().persistent(false);
        let rows = rows.fetch_all(&mut *self.transaction).await.map_err(classify)?;
        let mut groups = rows.into_iter().map(FailureGroup::try_from).collect::<Result<Vec<_>, _>>()?;
        let more = groups.len() > FAILURE_GROUPS_MAX as usize;
        groups.truncate(FAILURE_GROUPS_MAX as usize);
        Ok(FailureGroups { groups, capped: more || self.boundary(query, GROUPED_RUNS_MAX).await?.is_some() })
    }
}

/// Reads how many runs have a status.
fn counted(status: &str, runs: i64) -> Result<(Status, u64), StoreError> {
    let status = status.parse().map_err(|unknown| StoreError::Bug { message: format!("{unknown}") })?;
    Ok((status, u64::try_from(runs).unwrap_or_default()))
}
