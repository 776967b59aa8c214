//! The list of runs: what fails now, what there is, and what to do with it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::columns::Columns;
use super::ended;
use super::failures;
use super::mark::{Mark, run_mark};
use super::page::{self, Site};
use super::text::{ago, count, escaped, short};
use crate::http::routes::lists;
use crate::http::{Action, Caller, Code, Params, Problem, Service};
use crate::inspect::{self, Page, Search, Window};
use crate::model::filter::{Filter, Test};
use crate::model::{RunSummary, Status};
use crate::store::{FailureGroups, RunCount};

/// Groups of failures above the list: more are on a page of their own.
const GROUPS_SHOWN: usize = 3;

/// Sends the reader to what he most likely came for.
pub(super) async fn home(site: Site) -> Response {
    page::see(&site.to("/runs"))
}

/// What was asked for, as the page's links repeat it.
#[derive(Clone)]
pub(super) struct Question {
    /// The filter as it was typed.
    pub(super) q: String,
    pub(super) namespace: Option<String>,
    /// The columns of the list, unless they are the usual ones.
    pub(super) cols: Option<String>,
}

impl Question {
    pub(super) fn of(params: &Params) -> Question {
        let text = |name| params.text(name).map(str::to_owned);
        Question { q: text("q").unwrap_or_default(), namespace: text("namespace"), cols: text("cols") }
    }

    /// Writes the address of a list below the mount, with another filter.
    fn address(&self, path: &str, q: &str) -> String {
        let cols = self
            .cols
            .as_deref()
            .filter(|_| ["/runs", "/columns"].contains(&path))
            .map(|cols| format!("&cols={}", escaped(cols)));
        format!("{path}?{}{}", self.query(q), cols.unwrap_or_default())
    }

    /// Writes what an address asks for, with another filter.
    pub(super) fn query(&self, q: &str) -> String {
        let namespace = self.namespace.as_deref().map(|name| format!("&namespace={}", escaped(name)));
        format!("q={}{}", escaped(q), namespace.unwrap_or_default())
    }

    /// Writes a link to a list, with another filter.
    pub(super) fn link(&self, site: &Site, path: &str, q: &str) -> String {
        site.to(self.address(path, q))
    }

    /// Answers a question that cannot be asked: where the filter is wrong, with what was typed to be mended.
    pub(super) fn refused(
        &self,
        site: &Site,
        title: &str,
        path: &str,
        problem: Problem,
    ) -> Result<Response, Problem> {
        if problem.code() != Code::InvalidFilter {
            return Err(problem);
        }
        let again = html! { h1 { (title) } (box_of(site, self, path)) };
        Ok(page::refused(site, title, &problem, again))
    }

    /// The same question without some of its conditions.
    fn without(&self, drop: impl Fn(&Test) -> bool) -> Question {
        let kept = self.q.parse::<Filter>().map(|filter| {
            let terms = filter.terms.into_iter().filter(|term| !drop(&term.test));
            Filter { terms: terms.collect() }.to_string()
        });
        Question { q: kept.unwrap_or_else(|_| self.q.clone()), ..self.clone() }
    }

    /// Adds a term to the filter.
    pub(super) fn and(&self, term: &str) -> String {
        format!("{} {term}", self.q).trim().to_owned()
    }
}

/// Shows the runs of a filter, the newest first.
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    params: Params,
) -> Result<Response, Problem> {
    let (question, columns) = (Question::of(&params), Columns::of(&params)?);
    let search = match lists::search(&caller, &params) {
        Ok(search) => search,
        Err(problem) => return question.refused(&site, "Runs", "/runs", problem),
    };
    let store = service.lists().await?;
    if search_is_lookup(&question)
        && let [only] = inspect::list(store, &search).await?.data.as_slice()
    {
        return Ok(page::see(&site.to(format!("/runs/{}", only.run))));
    }
    let first = params.text("cursor").is_none();
    let (page, counts, groups) = match first {
        true => {
            let all = statusless(&caller, &params)?;
            let (page, counts, groups) = inspect::survey(store, &search, &all).await?;
            (page, Some(counts), Some(groups))
        }
        false => (inspect::list(store, &search).await?, None, None),
    };
    let live = first.then(|| question.address("/api/v1/stream", &question.q));
    let main = html! {
        h1 { "Runs" }
        (box_of(&site, &question, "/runs"))
        @if let Some(counts) = &counts { (statuses(&site, &question, counts)) }
        (window(&site, &question, &page.window, "/runs"))
        @if let Some(groups) = groups.as_ref().filter(|groups| !groups.groups.is_empty()) {
            (failing(&site, &question, groups))
        }
        p #news.news role="status" {}
        @if page.data.is_empty() { (nothing(&site, &question)) } @else {
            section aria-labelledby="newest" { div.heading { h2 #newest { "Newest first" } (Columns::link(&site, &question)) }
                (rows(&site, &question, &columns, &page)) }
        }
    };
    Ok(site.page("Runs", live.as_deref(), main))
}

/// Says whether a filter asks for one run: its id, its key, its trace.
fn search_is_lookup(question: &Question) -> bool {
    question.q.parse::<Filter>().is_ok_and(|filter| filter.is_lookup() && filter.terms.len() == 1)
}

/// The same question without its statuses: what the counts count.
fn statusless(caller: &Caller, params: &Params) -> Result<Search, Problem> {
    let filter: Filter = params.text("q").unwrap_or_default().parse()?;
    let terms = filter.terms.into_iter().filter(|term| !is_of_status(&term.test));
    let filter = Filter { terms: terms.collect() };
    Ok(Search::new(filter).namespace(lists::namespace(caller, params)?).within(lists::WINDOW_DEFAULT))
}

fn is_of_status(test: &Test) -> bool {
    matches!(test, Test::Status(_) | Test::Is(_))
}

/// The search box.
pub(super) fn box_of(site: &Site, question: &Question, path: &str) -> Markup {
    let of = question.namespace.as_deref().map(|name| format!("namespace={}&", escaped(name)));
    let suggest = site.to(format!("/suggest?{}q=", of.unwrap_or_default()));
    let is_list = path == "/runs";
    html! {
        @if is_list { ul #saved.chips hidden aria-label="Saved searches" {} }
        form.search role="search" method="get" action=(site.to(path)) {
            label.hidden for="q" { "Filter" }
            input #q name="q" type="search" value=(question.q) autocomplete="off" spellcheck="false"
                data-suggest=(suggest)
                placeholder="status:failed workflow:checkout meta.tenant:acme since:1h";
            @if let Some(namespace) = &question.namespace {
                input type="hidden" name="namespace" value=(namespace);
            }
            @if let Some(cols) = question.cols.as_deref().filter(|_| is_list) { input type="hidden" name="cols" value=(cols); }
            button { "Search" }
            @if is_list { button #save type="button" hidden { "Save" } }
        }
    }
}

/// How many there are of each status: each leads to them.
fn statuses(site: &Site, question: &Question, counts: &RunCount) -> Markup {
    let rest = question.without(is_of_status);
    let more = if counts.capped { "+" } else { "" };
    html! {
        ul.chips aria-label="Runs by status" {
            li { a href=(rest.link(site, "/runs", &rest.q)) { "all " strong { (count(counts.total())) (more) } } }
            @for (status, number) in &counts.by_status {
                @let mark = run_mark(*status);
                li {
                    a href=(rest.link(site, "/runs", &rest.and(&format!("status:{}", mark.word)))) {
                        (mark) " " strong { (count(*number)) }
                    }
                }
            }
            li { (ended::spark(site, question)) }
        }
    }
}

/// Which time was searched, and how to search more of it.
pub(super) fn window(site: &Site, question: &Question, window: &Window, path: &str) -> Markup {
    let rest = question.without(|test| matches!(test, Test::Since(_)));
    html! {
        p.faint {
            @match window.since {
                Some(since) => { "Created since " (ago(since, site.now)) }
                None => { "Created at any time" }
            }
            @if let Some(until) = window.until { ", before " (ago(until, site.now)) }
            "."
            @for span in ["1h", "24h", "7d", "30d"] {
                " " a href=(rest.link(site, path, &rest.and(&format!("since:{span}")))) { (span) }
            }
        }
    }
}

/// What fails for the same cause, the most frequent first.
fn failing(site: &Site, question: &Question, groups: &FailureGroups) -> Markup {
    html! {
        section aria-labelledby="failing" {
            h2 #failing { "Failing, by cause" }
            (failures::table(site, question, groups, GROUPS_SHOWN))
            @if groups.groups.len() > GROUPS_SHOWN {
                p { a href=(question.link(site, "/failures", &question.q)) {
                    "All " (groups.groups.len()) " causes"
                } }
            }
        }
    }
}

fn nothing(site: &Site, question: &Question) -> Markup {
    html! {
        section.empty {
            @if question.q.trim().is_empty() {
                h2 { "No runs yet" }
                p { "No run was created in the last 24 hours. Start one from your service:" }
                pre { code { (FIRST) } }
                p { "or from a terminal: " code { "runlog start checkout --input '{\"order\":\"o_771\"}'" } }
            } @else {
                h2 { "No runs match" }
                p { "No run matches " code { (question.q) } " in the time that was searched." }
            }
            p {
                a href=(question.link(site, "/runs", &question.and("since:30d"))) { "The last 30 days" }
                " · "
                a href=(site.to("/runs")) { "Clear the filter" }
            }
        }
    }
}

/// The code of a first run.
const FIRST: &str = "\
let runtime = Runtime::builder(pool).workflow(checkout()).start().await?;
let run = runtime.run(&checkout(), order).start().await?;
let receipt = run.output().await?;";

fn rows(site: &Site, question: &Question, columns: &Columns, page: &Page<RunSummary>) -> Markup {
    let may_bulk = site.may(Action::Bulk);
    let bulk = |action: &str| site.to(format!("/bulk?action={action}&{}", question.query(&question.q)));
    let list = html! {
            table.runs {
                caption.hidden { "Runs, the newest first" }
                thead { tr {
                    @if may_bulk { th scope="col" { span.hidden { "Selected" } } }
                    (columns.heads())
                } }
                tbody #rows { @for run in &page.data { (row(site, question, columns, run, may_bulk)) } }
            }
            @if let Some(to) = page.searched_to {
                p.faint { "Searched back to " (ago(to, site.now)) "; a closer filter finds more at once." }
            }
            nav.pages aria-label="Pages" {
                @if let Some(next) = &page.next {
                    a rel="next" href=(format!("{}&cursor={}", question.link(site, "/runs", &question.q), escaped(next))) { "Older" }
                }
            }
            @if may_bulk {
                p.tools {
                    @if site.may(Action::Replay) {
                        button name="action" value="replay" { "Replay the selected…" }
                        a.button href=(bulk("replay")) { "Replay all that match…" }
                    }
                    @if site.may(Action::Cancel) {
                        button name="action" value="cancel" { "Cancel the selected…" }
                        a.button href=(bulk("cancel")) { "Cancel all that match…" }
                    }
                }
            }
    };
    html! { @if may_bulk { form method="post" action=(site.to("/bulk")) { (list) } } @else { section { (list) } } }
}

fn row(site: &Site, question: &Question, columns: &Columns, run: &RunSummary, may_bulk: bool) -> Markup {
    let id = run.run.to_string();
    html! {
        tr id={ "r-" (id) } data-run=(id) {
            @if may_bulk { td { input type="checkbox" name="ids" value=(id) aria-label={ "Select run " (short(run.run)) }; } }
            (columns.cells(site, question, run))
        }
    }
}

/// How a listed run stands; one that is parked waits.
pub(super) fn mark(run: &RunSummary) -> Mark {
    if run.parked && run.status == Status::Running { Mark::WAITING } else { run_mark(run.status) }
}
