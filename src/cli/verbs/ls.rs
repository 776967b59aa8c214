//! `runlog ls`: runs, newest first.

use std::time::Duration;

use serde_json::value::RawValue;

use super::{Desk, Done};
use crate::cli::client::Failure;
use crate::cli::documents::{Listed, Page};
use crate::cli::exit::Exit;
use crate::cli::options::Output;
use crate::cli::show::{Cell, Table, plain, span, status};
use crate::model::failure::in_one_line;

#[derive(clap::Args)]
#[command(
    after_help = "The filter is that of docs/GUIDE.md, such as: status:failed workflow:checkout meta.team:payments since:1h. \
                        Without since: the last 24 hours."
)]
pub(in crate::cli) struct Arguments {
    /// Which runs; words are put together by spaces
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
    /// All of them
    #[arg(long, conflicts_with_all = ["limit", "watch"])]
    all: bool,
    /// Goes on, and shows them anew when something changes
    #[arg(long, short)]
    watch: bool,
}

/// Rows of one answer.
const PAGE: usize = 500;

/// How often a list on a terminal is drawn anew while nothing changes, for the ages in it.
const DRAWN_EVERY: Duration = Duration::from_secs(2);

/// How long a stream that was closed is left alone: a server closes it after an hour, a proxy earlier.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let filter = arguments.filter.join(" ");
    if arguments.watch {
        return watch(desk, &filter, arguments.limit).await;
    }
    let limit = if arguments.all { usize::MAX } else { arguments.limit };
    if let Some(rows) = rows(desk, &filter, limit).await? {
        table(desk, &rows, &filter)?;
    }
    Ok(Exit::Fine)
}

/// Shows the list whenever the service tells that its first page changed.
async fn watch(desk: &mut Desk, filter: &str, limit: usize) -> Done {
    let page = limit.clamp(1, PAGE).to_string();
    let query = [("q", filter), ("limit", page.as_str())];
    let mut shown: Option<Vec<Listed>> = None;
    loop {
        let changes = desk.client.stream("stream", &query).await;
        let mut changes = changes.map_err(|failure| pointed(failure, filter))?;
        loop {
            let draws = shown.is_some() && desk.screen.is_terminal();
            tokio::select! {
                message = changes.next() => match message.transpose()? {
                    None => break,
                    Some(message) if message.event == "changed" => shown = rows(desk, filter, limit).await?,
                    Some(_) => continue,
                },
                () = tokio::time::sleep(DRAWN_EVERY), if draws => {}
            }
            if let Some(rows) = &shown {
                desk.screen.clear()?;
                table(desk, rows, filter)?;
            }
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// Reads pages until there are enough; `None` when they were printed already, for programs.
async fn rows(desk: &mut Desk, filter: &str, limit: usize) -> Result<Option<Vec<Listed>>, Failure> {
    let (mut rows, mut cursor): (Vec<Listed>, Option<String>) = (Vec::new(), None);
    let mut left = limit;
    while left > 0 {
        let wanted = left.min(PAGE).to_string();
        let mut query = vec![("q", filter), ("limit", wanted.as_str())];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let answer = desk.client.get("runs", &query).await.map_err(|failure| pointed(failure, filter))?;
        if desk.output == Output::Json {
            desk.screen.raw(&answer.body)?;
            return Ok(None);
        }
        let page: Page<Box<RawValue>> = answer.read()?;
        left = left.saturating_sub(page.data.len());
        for row in &page.data {
            let listed: Listed =
                serde_json::from_str(row.get()).map_err(|error| Failure::Answer(error.to_string()))?;
            match desk.output {
                Output::Jsonl => desk.screen.line(row.get())?,
                Output::Ids => desk.screen.line(&listed.id)?,
                Output::Text | Output::Json => rows.push(listed),
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if cursor.is_some() && left == 0 && desk.output == Output::Text {
        desk.screen.remark(format!("there are more than {limit}: see --limit and --all"));
    }
    Ok((desk.output == Output::Text).then_some(rows))
}

/// Points at the place of a filter that cannot be read.
pub(super) fn pointed(failure: Failure, filter: &str) -> Failure {
    match failure {
        Failure::Refused(problem) if problem.code == "invalid_filter" => {
            let under = problem.column.map(|column| format!("\n  {}^", " ".repeat(column.saturating_sub(1))));
            Failure::Usage(format!("{problem}\n  {filter}{}", under.unwrap_or_default()))
        }
        failure => failure,
    }
}

fn table(desk: &mut Desk, rows: &[Listed], filter: &str) -> Result<(), Failure> {
    if rows.is_empty() {
        let window =
            if filter.contains("since:") { "" } else { " in the last 24 hours: since:7d looks further back" };
        desk.screen.remark(format!("no run fits {filter:?}{window}"));
        return Ok(());
    }
    let mut head = vec!["STATUS", "WORKFLOW", "RUN", "FAILED AT", "ERROR", "CREATED", "TOOK"];
    let archived = rows.iter().any(|run| run.archived);
    head.extend(archived.then_some("ARCHIVED"));
    let mut table = Table::new(head, 4);
    for run in rows {
        let (word, style) = status(&run.status);
        let (task, error) = match &run.failure {
            Some(failure) => (failure.task.clone(), in_one_line(&failure.kind, &failure.message)),
            None => (None, String::new()),
        };
        let mut cells = vec![
            Cell::styled(word, style),
            plain(&run.workflow).into(),
            plain(&run.id).into(),
            plain(&task.unwrap_or_default()).into(),
            plain(&error).into(),
            desk.screen.time(run.created_at).into(),
            run.execution_ms.map(span).unwrap_or_default().into(),
        ];
        cells.extend(archived.then(|| Cell::new(if run.archived { "yes" } else { "" })));
        table.row(cells);
    }
    Ok(table.print(&mut desk.screen)?)
}
