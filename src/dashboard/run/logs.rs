//! What the run's code said.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use maud::{Markup, html};

use crate::dashboard::page::Site;
use crate::dashboard::text::{clock, count, counted, escaped, short};
use crate::http::routes::logs::query;
use crate::http::routes::stream::last_seen;
use crate::http::{Params, Problem, Service, TheRun};
use crate::model::RunId;
use crate::model::line::Level;
use crate::store::{LogLine, LogQuery};

/// Lines of a run's page: the last ones.
const LINES_SHOWN: u32 = 50;

/// Lines of a page of lines.
const LINES_AT_ONCE: u32 = 500;

/// The last lines, and how many there are of each level.
pub(super) async fn section(service: &Service, site: &Site, run: RunId) -> Result<Markup, Problem> {
    let store = service.details().await?;
    let query = LogQuery { from_end: true, limit: LINES_SHOWN, ..LogQuery::default() };
    let lines = store.lines(run, &query).await?;
    if lines.is_empty() {
        return Ok(html! {
            p.faint {
                "It wrote no line. " code { "cx.log()" } " writes some, and " code { "tracing" }
                " events do with " code { "telemetry::log_layer" } "."
            }
        });
    }
    let all = site.to(format!("/runs/{run}/logs"));
    Ok(html! {
        @if lines.len() >= LINES_SHOWN as usize { p.faint { "The last " (LINES_SHOWN) " lines. " a href=(all) { "From the first one" } } }
        div.lines { @for one in &lines { (line(one, true)) } }
        p.faint { a href=(site.to(format!("/api/v1/runs/{run}/logs.txt"))) { "as text" } " · " a href=(all) { "on a page of their own" } }
    })
}

/// One line. Where it stands in its place its address leads to it; elsewhere on a page it is a copy.
pub(super) fn line(line: &LogLine, in_place: bool) -> Markup {
    let level = line.line.level.as_str();
    html! {
        p.line id=[in_place.then(|| format!("l-{}", line.n))] data-level=(level) {
            (clock(line.at)) " "
            span class={ "level-" (level) } { (level) } " "
            span.faint { (line.task) "/" (line.attempt) @if let Some(step) = &line.step { " " (step) } } " "
            (line.line.message)
            @if let Some(fields) = &line.line.fields { " " span.faint { (fields.text()) } }
        }
    }
}

pub(super) async fn list(
    State(service): State<Arc<Service>>,
    site: Site,
    TheRun(row): TheRun,
    params: Params,
) -> Result<Response, Problem> {
    let query = query(&params)?.after(last_seen(&params, &HeaderMap::new())?).limit(LINES_AT_ONCE);
    let store = service.details().await?;
    let lines = store.lines(row.run, &query).await?;
    let counts = store.line_counts(row.run, &query).await?;
    let from = |least: Level| -> u64 {
        Level::ALL.into_iter().filter(|level| *level >= least).map(|level| counts.of(level)).sum()
    };
    let here = site.to(format!("/runs/{}/logs", row.run));
    let next = lines.last().filter(|_| lines.len() >= LINES_AT_ONCE as usize).map(|last| last.n);
    let rest: String = ["task", "attempt", "level"]
        .iter()
        .filter_map(|name| Some(format!("&{name}={}", escaped(params.text(name)?))))
        .collect();
    let main = html! {
        p.crumbs { a href=(site.to("/runs")) { "Runs" } " ▸ " a href=(site.to(format!("/runs/{}", row.run))) { (short(row.run)) } }
        h1 { "Logs of " code { (row.run) } }
        ul.chips aria-label="By level" {
            @for level in Level::ALL { li {
                a href=(format!("{here}?level={}", level.as_str().to_lowercase())) { (level.as_str()) " and above " strong { (count(from(level))) } }
            } }
        }
        p.faint { (counted(from(query.level_min), "line")) "." }
        @if lines.is_empty() { p { "No line." } }
        div.lines { @for one in &lines { (line(one, true)) } }
        nav.pages aria-label="Pages" {
            @if let Some(next) = next { a rel="next" href=(format!("{here}?after={next}{rest}")) { "Later" } }
        }
        p.faint { a href=(site.to(format!("/api/v1/runs/{}/logs.txt", row.run))) { "as text" } }
    };
    Ok(site.page(&format!("Logs of {}", short(row.run)), None, main))
}
