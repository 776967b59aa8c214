//! What a filter's terms mean in SQL, on a candidate's row called `r`. Every value is bound.

use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use sqlx::types::Uuid;
use sqlx::{Postgres, QueryBuilder};

use crate::model::filter::{Field, Link, Moment, Pattern, Property, Test};
use crate::model::{RunId, Timestamp};
use crate::store::RunQuery;

/// A statement in the making.
pub(super) type Sql = QueryBuilder<Postgres>;

/// Writes what must hold of a run, all of it.
pub(super) fn push_conditions(sql: &mut Sql, query: &RunQuery) {
    sql.push("r.namespace = ").push_bind(query.namespace.as_str());
    for term in &query.filter.terms {
        sql.push(if term.negated { " and not coalesce(" } else { " and (" });
        push_test(sql, &term.test, query.now);
        sql.push(if term.negated { ", false)" } else { ")" });
    }
}

/// Writes one test; null where the run has no such value.
pub(super) fn push_test(sql: &mut Sql, test: &Test, now: Timestamp) {
    match test {
        Test::Status(wanted) => {
            let words: Vec<&str> = wanted.iter().map(|status| status.as_str()).collect();
            sql.push("r.status = any(").push_bind(words).push("::text[]::runlog.run_status[])");
        }
        Test::Text(Field::Task, wanted) => {
            sql.push(
                "exists (select from runlog.workflow_tasks t where t.workflow = r.workflow and t.version = r.version and (",
            );
            push_patterns(sql, "t.task", wanted);
            sql.push("))");
        }
        Test::Text(field, wanted) => push_patterns(sql, column(*field), wanted),
        Test::Metadata(name, wanted) => push_any(sql, wanted, |sql, pattern| match pattern {
            Pattern::Exact(value) => {
                sql.push("r.metadata @> ").push_bind(pair(name, value)).push("::jsonb");
            }
            Pattern::Prefix(prefix) => {
                sql.push("starts_with(r.metadata ->> ").push_bind(name.as_str());
                sql.push(", ").push_bind(prefix.as_str()).push(")");
            }
        }),
        // Only ASCII letters are the same in either case, whatever the database's locale.
        Test::Error(wanted) => push_any(sql, wanted, |sql, words| {
            sql.push("position(").push_bind(words.to_ascii_lowercase());
            sql.push(" in lower((r.error_kind || ': ' || r.error_message) collate \"C\")) > 0");
        }),
        Test::Id(wanted) => push_any(sql, wanted, |sql, digits| {
            let (first, last) = ids_with(digits);
            sql.push("r.id between ").push_bind(first).push(" and ").push_bind(last);
        }),
        Test::Link(link, wanted) => {
            let runs: Vec<Uuid> = wanted.iter().map(|run| run.uuid()).collect();
            sql.push(link_column(*link)).push(" = any(").push_bind(runs).push(")");
        }
        Test::Node(wanted) => {
            let nodes: Vec<i32> = wanted.iter().map(|node| node.0).collect();
            sql.push("coalesce(r.owner, r.node) = any(").push_bind(nodes).push(")");
        }
        Test::Duration(wanted) => push_any(sql, wanted, |sql, (comparison, than)| {
            sql.push("r.finished_at >= r.started_at and r.finished_at - r.started_at ");
            sql.push(comparison.as_str()).push(" ").push_bind(interval(*than));
        }),
        Test::Time(moment, wanted) => push_any(sql, wanted, |sql, (comparison, when)| {
            let column = match moment {
                Moment::Started => "r.started_at ",
                Moment::Finished => "r.finished_at ",
            };
            sql.push(column).push(comparison.as_str()).push(" ").push_bind(when.at(now));
        }),
        Test::Since(when) => {
            sql.push("r.id >= ").push_bind(RunId::first_at(when.at(now)).uuid());
        }
        Test::Until(when) => {
            sql.push("r.id < ").push_bind(RunId::first_at(when.at(now)).uuid());
        }
        Test::Is(wanted) => push_any(sql, wanted, |sql, property| {
            sql.push(match property {
                Property::Root => "r.parent is null",
                Property::Child => "r.parent is not null",
                Property::Waiting => "r.status = 'RUNNING' and r.owner is null",
                Property::Live => "r.status in ('QUEUED', 'RUNNING')",
                Property::Ended => "r.status not in ('QUEUED', 'RUNNING')",
                Property::Failed => "r.status in ('FAILED', 'TIMED_OUT')",
                Property::Replay => "r.replay_of is not null",
                Property::Archived => "r.archived",
            });
        }),
    }
}

/// Writes alternatives.
pub(super) fn push_any<T>(sql: &mut Sql, wanted: &[T], mut push: impl FnMut(&mut Sql, &T)) {
    for (at, one) in wanted.iter().enumerate() {
        sql.push(if at == 0 { "" } else { " or " });
        push(sql, one);
    }
}

fn push_patterns(sql: &mut Sql, column: &str, wanted: &[Pattern]) {
    push_any(sql, wanted, |sql, pattern| match pattern {
        Pattern::Exact(text) => {
            sql.push(column).push(" = ").push_bind(text.as_str());
        }
        Pattern::Prefix(prefix) => {
            sql.push("starts_with(").push(column).push(", ").push_bind(prefix.as_str()).push(")");
        }
    });
}

fn column(field: Field) -> &'static str {
    match field {
        Field::Workflow => "r.workflow",
        Field::Version => "r.version",
        Field::Task => "t.task",
        Field::FailedTask => "r.failed_task",
        Field::Kind => "r.error_kind",
        Field::Fingerprint => "r.fingerprint",
        Field::Trigger => "r.trigger",
        Field::Event => "r.trigger_id",
        Field::TriggerKey => "r.trigger_key",
        Field::Key => "r.key",
    }
}

pub(super) fn link_column(link: Link) -> &'static str {
    match link {
        Link::Parent => "r.parent",
        Link::ReplayOf => "r.replay_of",
        Link::CausedBy => "r.caused_by",
    }
}

/// A metadata pair as JSON.
pub(super) fn pair(name: &str, value: &str) -> String {
    serde_json::Value::from_iter([(name, value)]).to_string()
}

/// Returns the first and the last id that begin with some hexadecimal digits.
fn ids_with(digits: &str) -> (Uuid, Uuid) {
    let with = |filler: &str| {
        let missing = 32_usize.saturating_sub(digits.len());
        Uuid::try_parse(&format!("{digits}{}", filler.repeat(missing))).unwrap_or_default()
    };
    (with("0"), with("f"))
}

fn interval(duration: Duration) -> PgInterval {
    let microseconds = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}
