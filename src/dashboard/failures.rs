//! What fails, by its cause.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::page::Site;
use super::runs::{Question, box_of};
use super::text::{ago, count, counted};
use crate::http::routes::lists;
use crate::http::{Action, Caller, Params, Problem, Service};
use crate::inspect;
use crate::model::failure::in_one_line;
use crate::store::FailureGroups;

/// Shows every cause for which runs of a filter fail.
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    caller: Caller,
    site: Site,
    params: Params,
) -> Result<Response, Problem> {
    let question = Question::of(&params);
    let search = match lists::search(&caller, &params) {
        Ok(search) => search,
        Err(problem) => return question.refused(&site, "Failures", "/failures", problem),
    };
    let groups = inspect::failures(service.lists().await?, &search).await?;
    let runs: u64 = groups.groups.iter().map(|group| group.count).sum();
    let main = html! {
        h1 { "Failures" }
        (box_of(&site, &question, "/failures"))
        @if groups.groups.is_empty() {
            section.empty {
                h2 { "Nothing failed" }
                p { "No run that matches failed or timed out in the time that was searched: 24 hours, unless the filter says." }
                p { a href=(question.link(&site, "/failures", &question.and("since:30d"))) { "The last 30 days" } }
            }
        } @else {
            p { (counted(runs, "run")) " failed for " (counted(groups.groups.len() as u64, "cause")) "."
                @if groups.capped { " There are more: only the newest were read." } }
            (table(&site, &question, &groups, usize::MAX))
        }
    };
    Ok(site.page("Failures", None, main))
}

/// The groups, the most frequent first.
pub(super) fn table(site: &Site, question: &Question, groups: &FailureGroups, most: usize) -> Markup {
    html! {
        table.groups {
            caption.hidden { "Causes of failures, the most frequent first" }
            thead { tr {
                th.number scope="col" { "Runs" }
                th scope="col" { "Workflow ▸ task" }
                th scope="col" { "Error" }
                th scope="col" { "First" }
                th scope="col" { "Last" }
                th scope="col" { span.hidden { "What to do" } }
            } }
            tbody {
                @for group in groups.groups.iter().take(most) {
                    @let q = question.and(&format!("fp:{}", group.fingerprint));
                    tr id={ "f-" (group.fingerprint) } {
                        td.number { strong { (count(group.count)) } }
                        td { (group.workflow) @if let Some(task) = &group.task { " ▸ " (task) } }
                        td.error {
                            a.open href=(question.link(site, "/runs", &q)) { (in_one_line(&group.kind, &group.message)) }
                            @if let Some(location) = &group.location { " " span.faint { (location) } }
                        }
                        td { (ago(group.first, site.now)) }
                        td { (ago(group.last, site.now)) }
                        td {
                            a href=(site.to(format!("/runs/{}", group.newest))) { "newest" }
                            @if site.may(Action::Bulk) && site.may(Action::Replay) {
                                " · " a href=(site.to(format!("/bulk?action=replay&{}", question.query(&q)))) { "replay…" }
                            }
                        }
                    }
                }
            }
        }
    }
}
