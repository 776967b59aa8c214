//! What starts runs by the clock.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use crate::dashboard::actions::schedule_form;
use crate::dashboard::page::Site;
use crate::dashboard::run::link;
use crate::dashboard::text::{ago, count, escaped};
use crate::http::routes::lists;
use crate::http::{Caller, Code, Params, Problem, Service};
use crate::model::ScheduleName;
use crate::store::{ScheduleQuery, ScheduleRow};

pub(super) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    params: Params,
) -> Result<Response, Problem> {
    let namespace = lists::namespace(&caller, &params)?;
    let after = params.text("after").map(ScheduleName::new).transpose();
    let after = after.map_err(|error| Problem::new(Code::InvalidQuery, error.to_string()))?;
    let limit = params.limit()?;
    let query = ScheduleQuery {
        namespace: Some(namespace.clone()),
        after: after.map(|after| (namespace, after)),
        limit,
        ..ScheduleQuery::default()
    };
    let rows = service.runtime.schedules().list(&query).await?;
    let next = rows.last().filter(|_| rows.len() >= limit as usize).map(|row| row.spec.name.to_string());
    let main = html! {
        h1 { "Schedules" }
        @if rows.is_empty() {
            p { "None. " code { "runlog cron create nightly import --cron '0 3 * * *'" } " makes one, and so does code." }
        } @else { (table(&site, &rows)) }
        nav.pages aria-label="Pages" {
            @if let Some(next) = next { a rel="next" href=(site.to(format!("/schedules?after={}", escaped(&next)))) { "More" } }
        }
    };
    Ok(site.page("Schedules", None, main))
}

fn table(site: &Site, rows: &[ScheduleRow]) -> Markup {
    html! {
        table {
            caption.hidden { "Schedules, by name" }
            thead { tr {
                th scope="col" { "Schedule" }
                th scope="col" { "Starts" }
                th scope="col" { "When" }
                th scope="col" { "Next" }
                th scope="col" { "Last" }
                th.number scope="col" { "Runs" }
                th scope="col" { span.hidden { "What to do" } }
            } }
            tbody { @for row in rows { (one(site, row)) } }
        }
    }
}

fn one(site: &Site, row: &ScheduleRow) -> Markup {
    let times = &row.spec.times;
    html! {
        tr id={ "s-" (row.id) } {
            td { (row.spec.name) @if row.declared { " " span.faint { "by code" } } }
            td { a href=(site.to(format!("/workflows/{}", escaped(row.spec.workflow.as_str())))) { (row.spec.workflow) } }
            td {
                @if let Some(cron) = times.expression() { code { (cron) } }
                @if let Some(zone) = times.zone() { " " (zone) }
                @if let Some(at) = times.once() { "once, " (ago(at, site.now)) }
            }
            td {
                @if let Some(at) = row.paused_at { span.warn { "paused " (ago(at, site.now)) @if let Some(by) = &row.paused_by { " by " (by) } } }
                @else if let Some(at) = row.next_at { (ago(at, site.now)) }
                @else { "ended" }
                @if let Some(failure) = &row.failure { p.error { (failure) } }
            }
            td { @if let Some(run) = row.last_run { (link(site, run, None)) } @if let Some(due) = row.last_due { " " (ago(due, site.now)) } }
            td.number { (count(row.fired)) }
            td { (schedule_form(site, row)) }
        }
    }
}
