//! Which runs an action is on.

use std::collections::HashSet;

use crate::http::access::Caller;
use crate::http::bulk;
use crate::http::problem::{Problem, named};
use crate::http::routes::lists::WINDOW_DEFAULT;
use crate::http::routes::pauses;
use crate::http::service::Service;
use crate::inspect::{self, Search};
use crate::model::limits::{BULK_RUNS_MAX, PAGE_ROWS_MAX};
use crate::model::{Namespace, RunId, RunSummary};
use crate::store::BulkItem;

/// Runs asked for at once.
const SUMMARIES_AT_ONCE: usize = 1_000;

/// Makes the action's runs of their ids, each once. One that does not exist for the caller is answered for at once.
pub(super) async fn items_of(
    service: &Service,
    caller: &Caller,
    ids: &[String],
) -> Result<Vec<BulkItem>, Problem> {
    let mut runs = Vec::with_capacity(ids.len());
    let mut known = HashSet::new();
    for (at, id) in ids.iter().enumerate() {
        let run: RunId =
            id.parse().map_err(|error| Problem::at(&format!("/ids/{at}"), format!("{error}")))?;
        if known.insert(run) {
            runs.push(run);
        }
    }
    let mut items = Vec::with_capacity(runs.len());
    for some in runs.chunks(SUMMARIES_AT_ONCE) {
        let found = service.lists().await?.summaries(some).await?;
        let seen = found.iter().filter(|run| caller.sees(&run.namespace)).map(|run| run.run);
        let seen: HashSet<RunId> = seen.collect();
        items.extend(some.iter().map(|run| match seen.contains(run) {
            true => BulkItem { place: 0, run: *run, outcome: None, detail: None, new_run: None },
            false => bulk::refused(*run, &Problem::no_run(&run.to_string())),
        }));
    }
    Ok(items)
}

/// Makes the items of the runs that a filter finds in a namespace: the one that is said, if the caller may mean it.
pub(super) async fn items_by(
    service: &Service,
    caller: &Caller,
    q: &str,
    said: Option<String>,
) -> Result<Vec<BulkItem>, Problem> {
    let namespace = Namespace::new(pauses::namespace(caller, said)?).map_err(named("/namespace"))?;
    let search = Search::new(q.parse()?).namespace(namespace).within(WINDOW_DEFAULT).limit(PAGE_ROWS_MAX);
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = cursor.into_iter().fold(search.clone(), Search::cursor);
        let found = inspect::list(service.lists().await?, &page).await?;
        let open = |run: &RunSummary| BulkItem {
            place: 0,
            run: run.run,
            outcome: None,
            detail: None,
            new_run: None,
        };
        items.extend(found.data.iter().map(open));
        if items.len() > BULK_RUNS_MAX {
            return Err(Problem::at("/q", format!("it finds more than {BULK_RUNS_MAX} runs: narrow it")));
        }
        cursor = found.next;
        if cursor.is_none() {
            return Ok(items);
        }
    }
}
