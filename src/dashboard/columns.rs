//! The columns of the list: the page's address says which, and its links keep it.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::Response;
use maud::{Markup, html};

use super::page::Site;
use super::runs::{Question, mark};
use super::suggest::{Kept, metadata};
use super::text::{ago, short, took};
use crate::http::routes::lists;
use crate::http::{Caller, Code, Params, Problem, Service};
use crate::model::failure::in_one_line;
use crate::model::filter::quoted;
use crate::model::{RunSummary, Timestamp};

/// Tags of a run that its row shows.
const TAGS_SHOWN: usize = 2;

/// Columns of a list: more fit no window.
const COLUMNS_MAX: usize = 16;

/// What a column shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Status,
    Workflow,
    Run,
    Task,
    Error,
    Created,
    Took,
    Version,
    Key,
    Trigger,
    Started,
    Finished,
    Node,
    /// The value of a name of the runs' metadata.
    Metadata(String),
}

/// Every column but those of metadata: its word in the address, its head, and what it shows.
const KNOWN: [(&str, &str, Column); 13] = [
    ("status", "Status", Column::Status),
    ("workflow", "Workflow", Column::Workflow),
    ("run", "Run", Column::Run),
    ("task", "Failed at", Column::Task),
    ("error", "Error", Column::Error),
    ("created", "Created", Column::Created),
    ("took", "Took", Column::Took),
    ("version", "Version", Column::Version),
    ("key", "Key", Column::Key),
    ("trigger", "Trigger", Column::Trigger),
    ("started", "Started", Column::Started),
    ("finished", "Finished", Column::Finished),
    ("node", "Node", Column::Node),
];

/// The first columns of [`KNOWN`]: those of a list whose address says nothing.
const USUAL: usize = 7;

/// What a metadata column's word begins with.
const METADATA: &str = "meta.";

impl Column {
    fn word(&self) -> String {
        match (self, KNOWN.iter().find(|(.., column)| column == self)) {
            (Column::Metadata(name), _) => format!("{METADATA}{name}"),
            (_, known) => known.map_or("", |(word, ..)| word).to_owned(),
        }
    }

    fn head(&self) -> &str {
        match (self, KNOWN.iter().find(|(.., column)| column == self)) {
            (Column::Metadata(name), _) => name,
            (_, known) => known.map_or("", |(_, head, _)| head),
        }
    }

    fn read(word: &str) -> Option<Column> {
        let named = word.strip_prefix(METADATA).filter(|name| !name.is_empty());
        let known = || KNOWN.iter().find(|(known, ..)| *known == word).map(|(.., column)| column.clone());
        named.map(|name| Column::Metadata(name.to_owned())).or_else(known)
    }
}

/// The columns of one list, in their order.
pub(super) struct Columns(Vec<Column>);

impl Columns {
    /// Reads what the address says: `cols=status,workflow,run,meta.tenant`.
    pub(super) fn of(params: &Params) -> Result<Columns, Problem> {
        let Some(text) = params.text("cols") else { return Ok(Columns::usual()) };
        let wrong = |what: String| Problem::new(Code::InvalidQuery, what);
        let mut columns: Vec<Column> = Vec::new();
        for word in text.split(',').map(str::trim) {
            let column = Column::read(word).ok_or_else(|| {
                let known = KNOWN.map(|(word, ..)| word).join(", ");
                wrong(format!(
                    "cols has {word:?}: expected some of {known}, or meta. and a name of the metadata"
                ))
            })?;
            if columns.contains(&column) {
                return Err(wrong(format!("cols has {word:?} twice")));
            }
            columns.push(column);
        }
        if columns.len() > COLUMNS_MAX {
            return Err(wrong(format!("cols has {} columns, the limit is {COLUMNS_MAX}", columns.len())));
        }
        // A row that cannot be opened is none.
        if !columns.contains(&Column::Run) {
            return Err(wrong("cols lacks run: a row leads to its run".to_owned()));
        }
        Ok(Columns(columns))
    }

    fn usual() -> Columns {
        Columns(KNOWN.iter().take(USUAL).map(|(.., column)| column.clone()).collect())
    }

    /// Writes them as the address has them; nothing when they are the usual ones.
    fn written(columns: &[Column]) -> Option<String> {
        let usual = columns == Columns::usual().0.as_slice();
        (!usual).then(|| columns.iter().map(Column::word).collect::<Vec<_>>().join(","))
    }

    pub(super) fn heads(&self) -> Markup {
        html! {
            @for column in &self.0 {
                th.number[*column == Column::Took].task[*column == Column::Task] scope="col" { (column.head()) }
            }
        }
    }

    pub(super) fn cells(&self, site: &Site, question: &Question, run: &RunSummary) -> Markup {
        html! { @for column in &self.0 { (cell(column, site, question, run)) } }
    }

    /// A link to where they are chosen.
    pub(super) fn link(site: &Site, question: &Question) -> Markup {
        html! { a href=(question.link(site, "/columns", &question.q)) { "Columns" } }
    }

    fn without(&self, column: &Column) -> Vec<Column> {
        self.0.iter().filter(|other| *other != column).cloned().collect()
    }

    /// The same with a column one place nearer to the front.
    fn moved(&self, column: &Column) -> Vec<Column> {
        let mut columns = self.0.clone();
        let at = columns.iter().position(|other| other == column).filter(|at| *at > 0);
        if let Some(at) = at {
            columns.swap(at - 1, at);
        }
        columns
    }
}

/// Lets the reader choose: each click leads to this page with other columns.
pub(super) async fn choose(
    State(service): State<Arc<Service>>,
    Extension(kept): Extension<Arc<Kept>>,
    caller: Caller,
    site: Site,
    params: Params,
) -> Result<Response, Problem> {
    let (question, columns) = (Question::of(&params), Columns::of(&params)?);
    let seen = kept.seen(&service, &lists::namespace(&caller, &params)?).await;
    let to = |columns: &[Column]| {
        let chosen = Question { cols: Columns::written(columns), ..question.clone() };
        chosen.link(&site, "/columns", &question.q)
    };
    let known = KNOWN.iter().map(|(.., column)| column.clone());
    let named = seen.metadata.keys().filter(|name| !name.contains(','));
    let others = known.chain(named.map(|name| Column::Metadata(name.clone())));
    let others: Vec<Column> = others.filter(|column| !columns.0.contains(column)).collect();
    let main = html! {
        h1 { "Columns of the list" }
        p { "The address of the list keeps them: save it, or send it to somebody." }
        table {
            caption { "Shown, from left to right" }
            thead { tr { th scope="col" { "Column" } th scope="col" { span.hidden { "What to do" } } } }
            tbody {
                @for (at, column) in columns.0.iter().enumerate() {
                    tr {
                        th scope="row" { (column.head()) @if let Column::Metadata(_) = column { span.faint { " of the metadata" } } }
                        td {
                            @if at > 0 { a href=(to(&columns.moved(column))) aria-label={ (column.head()) " to the left" } { "to the left" } " · " }
                            @if *column == Column::Run { span.faint { "always there" } } @else {
                                a href=(to(&columns.without(column))) aria-label={ "Take away " (column.head()) } { "take away" }
                            }
                        }
                    }
                }
            }
        }
        @if columns.0.len() < COLUMNS_MAX {
            h2 #more { "More" }
            ul.chips aria-labelledby="more" {
                @for column in &others {
                    @let more: Vec<Column> = columns.0.iter().chain([column]).cloned().collect();
                    li { a href=(to(&more)) { (column.word()) } }
                }
            }
        }
        p.tools {
            a.button.primary href=(question.link(&site, "/runs", &question.q)) { "Show the list" }
            @if question.cols.is_some() { a.button href=(to(&Columns::usual().0)) { "The usual ones" } }
        }
    };
    Ok(site.page("Columns", None, main))
}

fn cell(column: &Column, site: &Site, question: &Question, run: &RunSummary) -> Markup {
    let filtered = |term: String| question.link(site, "/runs", &question.and(&term));
    let when = |at: Option<Timestamp>| html! { @if let Some(at) = at { (ago(at, site.now)) } };
    html! {
        @match column {
            Column::Status => td { (mark(run)) },
            Column::Workflow => td {
                a.plain href=(filtered(format!("workflow:{}", quoted(run.workflow.as_str())))) { (run.workflow) }
            },
            Column::Run => td {
                a.open href=(site.to(format!("/runs/{}", run.run))) { code { (short(run.run)) } }
                @if let Some(key) = &run.key { " " span.faint { (key) } }
                @for (name, value) in run.metadata.iter().take(TAGS_SHOWN) {
                    " " a.tag href=(filtered(metadata(name, value))) { (name) "=" (value) }
                }
            },
            Column::Task => td.task { @if let Some(task) = run.failure.as_ref().and_then(|failure| failure.task.as_ref()) { (task) } },
            Column::Error => @match &run.failure {
                Some(failure) => td.error { (in_one_line(&failure.kind, &failure.message)) },
                None => td {},
            },
            Column::Created => td { (ago(run.created_at(), site.now)) },
            Column::Took => td.number { (took(run.execution_time())) },
            Column::Version => td { (run.version) },
            Column::Key => td { @if let Some(key) = &run.key { (key) } },
            Column::Trigger => td { @if let Some(trigger) = &run.trigger { (trigger.kind) } },
            Column::Started => td { (when(run.started_at)) },
            Column::Finished => td { (when(run.finished_at)) },
            Column::Node => td.number { @if let Some(node) = run.node { (node.0) } },
            Column::Metadata(name) => td {
                @if let Some(value) = run.metadata.get(name) {
                    a.plain href=(filtered(metadata(name, value))) { (value) }
                }
            },
        }
    }
}
