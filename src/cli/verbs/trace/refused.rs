//! `runlog trace refused`: what a backend does not want, and how far the export is.

use crate::cli::documents::TraceExport;
use crate::cli::exit::Exit;
use crate::cli::show::{Style, Table, plain, span};
use crate::cli::verbs::{Desk, Done};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// At most so many, the newest
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
}

pub(super) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let limit = arguments.limit.to_string();
    let answer = desk.client.get("traces/export", &[("limit", limit.as_str())]).await?;
    if desk.passed_on(&answer, None)? {
        return Ok(Exit::Fine);
    }
    let found: TraceExport = answer.read()?;
    let exporter = match &found.exporter {
        Some(exporter) => format!("exporter  {}", plain(exporter)),
        None => format!("exporter  {}", desk.screen.paint(Style::Bad, "none")),
    };
    desk.screen.line(exporter)?;
    let mut waiting = match found.commits {
        0 => "nothing".to_owned(),
        1 => format!("1 commit, for {}", span(found.lag_ms)),
        commits => format!("{commits} commits, the oldest for {}", span(found.lag_ms)),
    };
    if found.catches_up {
        waiting.push_str("; runs are to be looked through besides");
    }
    desk.screen.line(format!("waiting   {waiting}"))?;
    desk.screen.line(format!("refused   {}", found.refused))?;
    if found.refused_spans.is_empty() {
        return Ok(Exit::Fine);
    }
    desk.screen.line("")?;
    let mut table = Table::new(vec!["WHEN", "RUN", "TRACE", "SPAN", "NAME", "WHY"], 5);
    for refused in &found.refused_spans {
        table.row(vec![
            desk.screen.time(refused.at).into(),
            plain(&refused.run).into(),
            plain(refused.trace_id.as_deref().unwrap_or_default()).into(),
            plain(refused.span_id.as_deref().unwrap_or_default()).into(),
            plain(&refused.name).into(),
            plain(&refused.reason).into(),
        ]);
    }
    table.print(&mut desk.screen)?;
    Ok(Exit::Fine)
}
