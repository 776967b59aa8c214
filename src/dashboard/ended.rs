//! When runs ended: bars on a page of their own, and small ones above the list.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::SecondsFormat;
use maud::{Markup, html};

use super::mark::run_mark;
use super::page::Site;
use super::runs::{Question, box_of, window};
use super::text::{ago, count, counted};
use crate::http::routes::lists;
use crate::http::{Caller, Params, Problem, Service};
use crate::inspect::{self, Ended, EndedIn};
use crate::model::{Status, Timestamp};

/// From the ground up: what failed stands in one line, and is compared.
const STACK: [Status; 4] = [Status::Failed, Status::TimedOut, Status::Cancelled, Status::Succeeded];

/// How high the bars of the page are, in pixels.
const HEIGHT: u64 = 140;

/// A piece of a bar is seen: it was there.
const PIECE_MIN: u64 = 2;

/// How large the small picture is, in pixels.
const SPARK_WIDTH: u64 = 120;
const SPARK_HEIGHT: u64 = 20;

/// For how long a browser may show the small picture again.
const SPARK_SECONDS: i64 = 300;

/// Says when the runs of a filter ended.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    params: Params,
) -> Result<Response, Problem> {
    let question = Question::of(&params);
    let search = match lists::search(&caller, &params) {
        Ok(search) => search,
        Err(problem) => return question.refused(&site, "Runs over time", "/stats", problem),
    };
    let ended = inspect::ended(service.lists().await?, &search).await?;
    let main = html! {
        h1 { "Runs over time" }
        (box_of(&site, &question, "/stats"))
        (window(&site, &question, &ended.window, "/stats"))
        @if ended.spans.iter().all(|span| span.total() == 0) {
            section.empty {
                h2 { "No run ended" }
                p { "None of the runs that match has ended. " a href=(question.link(&site, "/runs", &question.q)) { "Show the runs" } }
            }
        } @else {
            (picture(&site, &question, &ended))
        }
    };
    Ok(site.page("Runs over time", None, main))
}

fn picture(site: &Site, question: &Question, ended: &Ended) -> Markup {
    let mut totals: BTreeMap<Status, u64> = BTreeMap::new();
    for (status, runs) in ended.spans.iter().flat_map(|span| &span.by_status) {
        *totals.entry(*status).or_default() += runs;
    }
    html! {
        section aria-labelledby="ended" {
            h2 #ended { "Ended, by " (unit(ended.every)) }
            ul.chips aria-label="Runs that ended, by status" {
                @for (status, runs) in &totals {
                    @let mark = run_mark(*status);
                    li { a href=(question.link(site, "/stats", &question.and(&format!("status:{}", mark.word)))) { (mark) " " strong { (count(*runs)) } } }
                }
            }
            (bars(site, question, ended))
            @if let (Some(first), Some(last)) = (ended.spans.first(), ended.spans.last()) {
                p.scale { span { (ago(first.from, site.now)) } span.grow {} span { @if last.to < site.now { (ago(last.to, site.now)) } @else { "now" } } }
            }
            @if ended.capped { p.faint { "There are more runs: only the newest were counted." } }
            details.as-table { summary { "As a table" } (table(site, question, ended, &totals)) }
        }
    }
}

fn bars(site: &Site, question: &Question, ended: &Ended) -> Markup {
    let most = ended.spans.iter().map(EndedIn::total).max().unwrap_or_default().max(1);
    let all = ended.spans.len() as u64;
    html! {
        svg.bars role="group" aria-label="A bar for each time in which runs ended" width="100%" height=(HEIGHT) {
            @for (at, span) in (0_u64..).zip(&ended.spans).filter(|(_, span)| span.total() > 0) {
                @let (x, width) = (share(at, all), share(1, all));
                a href=(runs_of(site, question, span)) aria-label=(words(span, ended.every)) {
                    title { (words(span, ended.every)) }
                    rect.hit x=(x) y="0" width=(width) height=(HEIGHT) {}
                    svg x=(x) y="0" width=(width) height=(HEIGHT) {
                        @for (status, y, height) in pieces(span, most, HEIGHT) {
                            rect class=(run_mark(status).class) x="8%" y=(y) width="84%" height=(height) {}
                        }
                    }
                }
            }
        }
    }
}

/// Stacks what ended in a span: where each piece begins from above, and how high it is.
fn pieces(span: &EndedIn, most: u64, height: u64) -> Vec<(Status, u64, u64)> {
    let mut ground = height;
    let pieces = STACK.into_iter().filter_map(|status| {
        let runs = span.by_status.get(&status).copied().filter(|runs| *runs > 0)?;
        let tall = (runs * height / most).max(PIECE_MIN).min(ground);
        ground -= tall;
        Some((status, ground, tall))
    });
    pieces.collect()
}

/// Writes a part of the whole width, or where it begins: `4.16%`.
fn share(part: u64, whole: u64) -> String {
    let hundredths = part * 10_000 / whole.max(1);
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

fn table(site: &Site, question: &Question, ended: &Ended, totals: &BTreeMap<Status, u64>) -> Markup {
    html! {
        table {
            caption { "Runs that ended, by " (unit(ended.every)) " in UTC" }
            thead { tr {
                th scope="col" { "From" }
                @for status in totals.keys() { th.number scope="col" { (run_mark(*status)) } }
            } }
            tbody {
                @for span in ended.spans.iter().filter(|span| span.total() > 0) {
                    tr {
                        th scope="row" { a href=(runs_of(site, question, span)) { (name(span.from, ended.every)) } }
                        @for status in totals.keys() { td.number { (count(span.by_status.get(status).copied().unwrap_or_default())) } }
                    }
                }
            }
        }
    }
}

/// The list of the runs that ended in a span.
fn runs_of(site: &Site, question: &Question, span: &EndedIn) -> String {
    let exact = |at: Timestamp| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let within = format!("finished:>={} finished:<{}", exact(span.from), exact(span.to));
    question.link(site, "/runs", &question.and(&within))
}

fn words(span: &EndedIn, every: Duration) -> String {
    let ended = STACK.into_iter().filter_map(|status| {
        let runs = span.by_status.get(&status)?;
        Some(format!("{} {}", count(*runs), run_mark(status).word))
    });
    format!("{}: {}", name(span.from, every), ended.collect::<Vec<_>>().join(", "))
}

/// Names a span by when it begins.
fn name(from: Timestamp, every: Duration) -> String {
    let form = if every < DAY { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d" };
    from.format(form).to_string()
}

const DAY: Duration = Duration::from_secs(86_400);

/// Names the length of a span.
fn unit(every: Duration) -> String {
    let seconds = every.as_secs();
    let (number, unit) = match seconds {
        _ if seconds.is_multiple_of(86_400) => (seconds / 86_400, "day"),
        _ if seconds.is_multiple_of(3_600) => (seconds / 3_600, "hour"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    if number == 1 { unit.to_owned() } else { counted(number, unit) }
}

/// A link to the page, with the small picture: a file of its own, so that the list waits for nothing.
pub(super) fn spark(site: &Site, question: &Question) -> Markup {
    let (page, picture) =
        (question.link(site, "/stats", &question.q), question.link(site, "/stats.svg", &question.q));
    // Another name from time to time: a list that follows its runs asks anew.
    let at = site.now.timestamp().div_euclid(SPARK_SECONDS);
    html! {
        a href=(page) { img src={ (picture) "&at=" (at) } alt="" width=(SPARK_WIDTH) height=(SPARK_HEIGHT); " over time" }
    }
}

/// Draws the small picture.
pub(super) async fn small(
    State(service): State<Arc<Service>>,
    caller: Caller,
    params: Params,
) -> Result<Response, Problem> {
    let ended = inspect::ended(service.lists().await?, &lists::search(&caller, &params)?).await?;
    let most = ended.spans.iter().map(EndedIn::total).max().unwrap_or_default().max(1);
    let all = ended.spans.len() as u64;
    let picture = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(SPARK_WIDTH) height=(SPARK_HEIGHT) {
            rect x="0" y=(SPARK_HEIGHT - 1) width="100%" height="1" fill=(CALM) {}
            @for (at, span) in (0_u64..).zip(&ended.spans) {
                @for (status, y, height) in pieces(span, most, SPARK_HEIGHT) {
                    @let fill = if status.is_failure() { ALARMING } else { CALM };
                    rect x=(share(at, all)) y=(y) width=(share(17, all * 20)) height=(height) fill=(fill) {}
                }
            }
        }
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=300")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'")),
    ];
    Ok((headers, picture.into_string()).into_response())
}

/// The small picture is a file and knows no theme: these are seen on either ground, with a contrast of 3 or more.
const ALARMING: &str = "#d8453e";
const CALM: &str = "#7b8494";
