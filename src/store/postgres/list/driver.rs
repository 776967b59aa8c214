//! Where the rows come from: one index for each question, chosen here and not by the planner's luck.
//!
//! Rows come in the order of ids from one index or from a merge of several, and are searched up to a limit; or a narrow
//! index without that order gives a few ids, which are sorted.

use std::time::Duration;

use sqlx::types::Uuid;

use super::conditions::{Sql, link_column, pair, push_any};
use crate::model::filter::{Comparison, Field, Filter, Link, Pattern, Test};
use crate::model::limits::NARROW_ROWS_MAX;
use crate::model::{Namespace, RunId, Status, Timestamp};
use crate::store::RunQuery;

/// Indexes that are merged at most: each costs some 50 µs of planning.
pub(super) const BRANCHES_MAX: usize = 16;

/// From here on a run is in `runs_slow`.
const SLOW: Duration = Duration::from_secs(10);

/// Where rows of runs are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Table {
    /// `runlog.runs`
    Runs,
    /// `runlog.archived_runs`, whose indexes have the same names with `archived_` before them.
    Archive,
}

impl Table {
    /// Lists the tables in which a filter's runs can be, at least one.
    pub(super) fn of(filter: &Filter) -> Vec<Table> {
        match (filter.may_be_unarchived(), filter.may_be_archived()) {
            (true, true) => vec![Table::Runs, Table::Archive],
            (false, true) => vec![Table::Archive],
            (_, false) => vec![Table::Runs],
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Table::Runs => "runlog.runs",
            Table::Archive => "runlog.archived_runs",
        }
    }

    /// What lists and filters read of a row called `r`, the same columns of either table.
    fn row(self) -> &'static str {
        match self {
            Table::Runs => RUNS_ROW,
            Table::Archive => ARCHIVE_ROW,
        }
    }
}

macro_rules! row {
    ($own:literal) => {
        concat!(
            "r.id, r.namespace, r.workflow, r.version, r.key, r.status, r.started_at, r.finished_at, r.parent, \
             r.metadata, r.trigger, r.trigger_id, r.trigger_key, r.replay_of, r.node, r.failed_task, r.error_kind, \
             r.error_message, r.error_location, r.fingerprint, r.caused_by, ",
            $own
        )
    };
}

const RUNS_ROW: &str = row!("r.owner, r.wake_at, r.deadline_at, false as archived");

/// Nobody owns an archived run, nothing is left to wake it for.
const ARCHIVE_ROW: &str = row!(
    "null::int as owner, null::timestamptz as wake_at, null::timestamptz as deadline_at, true as archived"
);

/// What is read of a candidate.
#[derive(Clone, Copy)]
pub(super) enum Read {
    /// Its id alone.
    Id,
    /// [`Table::row`].
    Row,
}

/// Where candidates come from.
pub(super) enum Source {
    /// These runs.
    Ids(Vec<Uuid>),
    /// The newest rows of these stretches of indexes, up to a limit.
    Newest(Vec<Branch>),
}

/// A stretch of an index that holds its runs in the order of their ids.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Branch {
    /// `runs_pkey`
    All,
    /// `runs_tenant`
    Tenant,
    /// `runs_workflow`
    Workflow(String),
    /// `runs_status`
    Status(Status),
    /// `runs_failed`
    Failed(String),
    /// `runs_fingerprint`
    Fingerprint(String),
    /// `runs_trigger_key`
    TriggerKey(String),
    /// `runs_slow`
    Slow,
}

impl Branch {
    /// Says whether a table has such runs.
    fn is_in(&self, table: Table) -> bool {
        match (self, table) {
            (Branch::Status(status), Table::Archive) => status.is_terminal(),
            (_, Table::Runs | Table::Archive) => true,
        }
    }
}

/// A few runs, by an index without the order of ids.
#[derive(PartialEq)]
pub(super) enum Narrow<'a> {
    Ids(&'a Test),
    Keys(&'a [Pattern]),
    Fingerprints(&'a [Pattern]),
    Events(Vec<&'a str>),
    Link(Link, &'a [RunId]),
    /// All of these pairs, each with alternatives: a rare one makes a common one narrow.
    Metadata(Vec<(&'a str, Vec<&'a str>)>),
}

/// Finds the narrowest of the narrow indexes that a filter names.
pub(super) fn narrow(filter: &Filter) -> Option<Narrow<'_>> {
    let found = filter.positive().filter_map(|test| match test {
        Test::Id(_) => Some((0, Narrow::Ids(test))),
        Test::Text(Field::Key, wanted) => Some((1, Narrow::Keys(wanted))),
        Test::Text(Field::Event, wanted) => Some((2, Narrow::Events(exact(wanted)?))),
        Test::Link(link @ (Link::Parent | Link::ReplayOf), runs) => Some((3, Narrow::Link(*link, runs))),
        Test::Metadata(_, wanted) if exact(wanted).is_some() => Some((4, Narrow::Metadata(pairs(filter)))),
        Test::Text(Field::Fingerprint, wanted) if exact(wanted).is_none() => {
            Some((5, Narrow::Fingerprints(wanted)))
        }
        _ => None,
    });
    found.min_by_key(|(rank, _)| *rank).map(|(_, narrow)| narrow)
}

/// Says whether two queries have the same narrow index give the same ids.
pub(super) fn is_narrowed_alike(a: &RunQuery, b: &RunQuery) -> bool {
    let from = |query: &RunQuery| (query.filter.window(query.now), query.before);
    a.namespace == b.namespace
        && from(a) == from(b)
        && Table::of(&a.filter) == Table::of(&b.filter)
        && narrow(&a.filter) == narrow(&b.filter)
}

fn pairs(filter: &Filter) -> Vec<(&str, Vec<&str>)> {
    let pairs = filter.positive().filter_map(|test| match test {
        Test::Metadata(name, wanted) => Some((name.as_str(), exact(wanted)?)),
        _ => None,
    });
    pairs.collect()
}

/// Returns the exact tasks of the first such term: the workflows that have them are all there is to look at.
pub(super) fn tasks(filter: &Filter) -> Option<Vec<&str>> {
    filter.positive().find_map(|test| match test {
        Test::Text(Field::Task, wanted) => exact(wanted),
        _ => None,
    })
}

/// Chooses the indexes that lead to a filter's runs in the order of ids; `of_tasks` are the workflows that have its tasks.
/// None: there can be no such run.
pub(super) fn branches(query: &RunQuery, of_tasks: Option<Vec<String>>) -> Vec<Branch> {
    let filter = &query.filter;
    let statuses = filter.statuses();
    if let Some(prints) = filter.positive().find_map(fingerprints) {
        return prints.into_iter().map(|print| Branch::Fingerprint(print.to_owned())).collect();
    }
    if let Some(keys) = filter.positive().find_map(trigger_keys) {
        return keys.into_iter().map(|key| Branch::TriggerKey(key.to_owned())).collect();
    }
    let named = filter.positive().find_map(workflows);
    let named = named.map(|names| names.into_iter().map(str::to_owned).collect()).or(of_tasks);
    let named = named.filter(|names: &Vec<String>| names.len() <= BRANCHES_MAX);
    let fails = statuses.iter().all(|status| status.is_failure());
    let among = |statuses: &[Status]| statuses.iter().copied().map(Branch::Status).collect();
    match named {
        Some(names) if fails => names.into_iter().map(Branch::Failed).collect(),
        Some(_) if !statuses.contains(&Status::Succeeded) && !statuses.contains(&Status::Running) => {
            among(&statuses)
        }
        None if !statuses.contains(&Status::Succeeded) => among(&statuses),
        _ if filter.positive().any(is_slow) => vec![Branch::Slow],
        Some(names) => names.into_iter().map(Branch::Workflow).collect(),
        None if query.namespace != Namespace::default() => vec![Branch::Tenant],
        None => vec![Branch::All],
    }
}

fn fingerprints(test: &Test) -> Option<Vec<&str>> {
    match test {
        Test::Text(Field::Fingerprint, wanted) => exact(wanted).filter(|all| all.len() <= BRANCHES_MAX),
        _ => None,
    }
}

fn trigger_keys(test: &Test) -> Option<Vec<&str>> {
    match test {
        Test::Text(Field::TriggerKey, wanted) => exact(wanted).filter(|all| all.len() <= BRANCHES_MAX),
        _ => None,
    }
}

fn workflows(test: &Test) -> Option<Vec<&str>> {
    match test {
        Test::Text(Field::Workflow, wanted) => exact(wanted),
        _ => None,
    }
}

fn is_slow(test: &Test) -> bool {
    let slow = |(comparison, than): &(Comparison, Duration)| {
        matches!(comparison, Comparison::Greater | Comparison::AtLeast) && *than >= SLOW
    };
    matches!(test, Test::Duration(wanted) if wanted.iter().all(slow))
}

/// Returns the texts, once each, if none is a prefix.
fn exact(wanted: &[Pattern]) -> Option<Vec<&str>> {
    let texts = wanted.iter().map(|pattern| match pattern {
        Pattern::Exact(text) => Some(text.as_str()),
        Pattern::Prefix(_) => None,
    });
    let mut all = texts.collect::<Option<Vec<&str>>>()?;
    all.sort_unstable();
    all.dedup();
    Some(all)
}

/// Writes a query for the candidates, the newest first, of indexes in the order of ids at most `limit`.
pub(super) fn push_candidates(sql: &mut Sql, query: &RunQuery, source: &Source, read: Read, limit: u32) {
    let tables = Table::of(&query.filter);
    let mut parts = 0;
    // Each part in order by itself: only so are several merged and not sorted.
    let mut begin = |sql: &mut Sql, table: Table| {
        sql.push(if parts == 0 { "select * from ((" } else { " union all (" });
        sql.push("select ").push(match read {
            Read::Id => "r.id",
            Read::Row => table.row(),
        });
        sql.push(" from ").push(table.name()).push(" r where ");
        parts += 1;
    };
    match source {
        Source::Ids(ids) => {
            for table in tables {
                begin(sql, table);
                sql.push("r.id = any(").push_bind(ids.clone()).push(")");
                push_range(sql, query);
                sql.push(" order by r.id desc)");
            }
            sql.push(") r order by r.id desc");
        }
        Source::Newest(branches) => {
            for (table, branch) in parts_of(&tables, branches) {
                begin(sql, table);
                sql.push("r.namespace = ").push_bind(query.namespace.as_str());
                push_branch(sql, branch);
                push_range(sql, query);
                sql.push(" order by r.id desc)");
            }
            sql.push(") r order by r.id desc limit ").push_bind(i64::from(limit));
        }
    }
}

/// Lists the stretches of each table that there can be.
pub(super) fn parts_of<'a>(
    tables: &'a [Table],
    branches: &'a [Branch],
) -> impl Iterator<Item = (Table, &'a Branch)> {
    let of = |table: Table| move |branch: &&Branch| branch.is_in(table);
    tables.iter().flat_map(move |table| branches.iter().filter(of(*table)).map(|branch| (*table, branch)))
}

fn push_branch(sql: &mut Sql, branch: &Branch) {
    match branch {
        Branch::All => {}
        Branch::Tenant => {
            sql.push(" and r.namespace <> 'default'");
        }
        Branch::Workflow(name) => {
            sql.push(" and r.workflow = ").push_bind(name.as_str());
        }
        // In words, not bound: the index holds only some.
        Branch::Status(status) => {
            sql.push(" and r.status = '").push(status.as_str()).push("'");
        }
        Branch::Failed(name) => {
            sql.push(" and r.status in ('FAILED', 'TIMED_OUT') and r.workflow = ").push_bind(name.as_str());
        }
        Branch::Fingerprint(print) => {
            sql.push(" and r.fingerprint = ").push_bind(print.as_str());
        }
        Branch::TriggerKey(key) => {
            sql.push(" and r.trigger_key = ").push_bind(key.as_str());
        }
        Branch::Slow => {
            sql.push(" and r.finished_at - r.started_at >= interval '10 seconds'");
        }
    }
}

/// Writes which ids are asked for: those of the window, before the page's end.
fn push_range(sql: &mut Sql, query: &RunQuery) {
    let (since, until) = query.filter.window(query.now);
    if let Some(since) = since {
        sql.push(" and r.id >= ").push_bind(RunId::first_at(since).uuid());
    }
    let until: Option<RunId> = until.map(|at: Timestamp| RunId::first_at(at));
    if let Some(end) = [until, query.before].into_iter().flatten().min() {
        sql.push(" and r.id < ").push_bind(end.uuid());
    }
}

/// Writes the query for the ids that a narrow index of each table gives, one more than are read.
pub(super) fn push_narrow(sql: &mut Sql, query: &RunQuery, narrow: &Narrow<'_>) {
    for (at, table) in Table::of(&query.filter).into_iter().enumerate() {
        sql.push(if at == 0 { "(" } else { " union all (" });
        push_narrow_of(sql, query, narrow, table);
        sql.push(")");
    }
    sql.push(" limit ").push_bind(i64::from(NARROW_ROWS_MAX) + 1);
}

fn push_narrow_of(sql: &mut Sql, query: &RunQuery, narrow: &Narrow<'_>, table: Table) {
    sql.push("select r.id from ").push(table.name());
    sql.push(" r where r.namespace = ").push_bind(query.namespace.as_str());
    push_range(sql, query);
    sql.push(" and (");
    match narrow {
        Narrow::Ids(test) => super::conditions::push_test(sql, test, query.now),
        Narrow::Keys(wanted) => push_any(sql, wanted, |sql, pattern| push_prefix(sql, "r.key", pattern)),
        Narrow::Fingerprints(wanted) => {
            push_any(sql, wanted, |sql, pattern| push_prefix(sql, "r.fingerprint", pattern));
        }
        Narrow::Events(ids) => push_any(sql, ids, |sql, id| {
            sql.push("r.trigger_id = ").push_bind(*id);
        }),
        Narrow::Link(link, runs) => {
            let runs: Vec<Uuid> = runs.iter().map(|run| run.uuid()).collect();
            sql.push(link_column(*link)).push(" = any(").push_bind(runs).push(")");
        }
        Narrow::Metadata(pairs) => {
            for (at, (name, values)) in pairs.iter().enumerate() {
                sql.push(if at == 0 { "(" } else { " and (" });
                push_any(sql, values, |sql, value| {
                    sql.push("r.metadata @> ").push_bind(pair(name, value)).push("::jsonb");
                });
                sql.push(")");
            }
        }
    }
    sql.push(")");
}

/// Writes an equality, or the stretch of a `text_pattern_ops` index that begins with a prefix.
fn push_prefix(sql: &mut Sql, column: &str, pattern: &Pattern) {
    match pattern {
        Pattern::Exact(text) => {
            sql.push(column).push(" = ").push_bind(text.as_str());
        }
        Pattern::Prefix(prefix) => {
            sql.push("(").push(column).push(" ~>=~ ").push_bind(prefix.as_str());
            if let Some(end) = after_prefix(prefix) {
                sql.push(" and ").push(column).push(" ~<~ ").push_bind(end);
            }
            sql.push(")");
        }
    }
}

/// Returns the first text, in the order of bytes, after all that begin with `prefix`; `None` when there is none.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}
