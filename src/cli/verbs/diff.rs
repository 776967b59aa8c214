//! `runlog diff`: what differs between two runs.

use super::{Desk, Done};
use crate::cli::documents::{Diff, DiffSide, Divergence};
use crate::cli::exit::Exit;
use crate::cli::show::{Cell, Screen, Style, Table, plain, span, status};
use crate::cli::{ids, show};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Which run: its id, the beginning of it, @last or @last-failed
    run: String,
    /// The other one; without it the run is shown beside the last good one before it
    other: Option<String>,
}

pub(in crate::cli) async fn run(desk: &mut Desk, arguments: Arguments) -> Done {
    let id = ids::one(&desk.client, &arguments.run).await?;
    // The interface puts what is asked about after what it is compared with.
    let (id, with) = match &arguments.other {
        Some(other) => (ids::one(&desk.client, other).await?, id),
        None => (id, "last-good".to_owned()),
    };
    let answer = desk.client.get(&format!("runs/{id}/diff"), &[("with", &with)]).await?;
    if !desk.passed_on(&answer, Some(&id))? {
        print(&mut desk.screen, &answer.read()?)?;
    }
    Ok(Exit::Fine)
}

fn print(screen: &mut Screen, diff: &Diff) -> std::io::Result<()> {
    side(screen, "a", &diff.a)?;
    side(screen, "b", &diff.b)?;
    screen.line("")?;
    for field in diff.start.fields.iter().chain(&diff.start.metadata) {
        let of = |side: &Option<String>| plain(side.as_deref().unwrap_or("–"));
        screen.line(format!("  {:<10} {} → {}", plain(&field.name), of(&field.a), of(&field.b)))?;
    }
    show::changes(screen, "input", &diff.start.input)?;
    show::changes(screen, "output", &diff.output)?;
    course(screen, "first differs", diff.first.as_ref())?;
    if diff.course != diff.first {
        course(screen, "goes apart", diff.course.as_ref())?;
    }
    if diff.redacted {
        screen.line("  values that are hidden as ‹redacted› are not compared")?;
    }
    screen.line("")?;
    let mut table = Table::new(vec!["TASK", "A", "TOOK", "B", "TOOK", "ERROR"], 5);
    for task in &diff.tasks {
        let of = |side: &Option<crate::cli::documents::TaskSide>| {
            let (word, style) = side.as_ref().map(|side| status(&side.status)).unwrap_or_default();
            let took = side.as_ref().and_then(|side| side.execution_ms).map(span).unwrap_or_default();
            (Cell::styled(word, style), Cell::new(took))
        };
        let ((a, a_took), (b, b_took)) = (of(&task.a), of(&task.b));
        let error = task.b.as_ref().or(task.a.as_ref()).and_then(|side| side.error.as_ref());
        let error = error.map(|error| format!("{}: {}", error.kind, error.message)).unwrap_or_default();
        table.row(vec![plain(&task.name).into(), a, a_took, b, b_took, plain(&error).into()]);
    }
    table.print(screen)
}

fn side(screen: &mut Screen, name: &str, side: &DiffSide) -> std::io::Result<()> {
    let (word, style) = status(&side.status);
    let word = style.map_or(word.clone(), |style| screen.paint(style, &word));
    let took = side.execution_ms.map(|ms| format!(" after {}", span(ms))).unwrap_or_default();
    let run = screen.paint(Style::Strong, format!("{} {}", plain(&side.workflow), plain(&side.run)));
    screen.line(format!("{name}  {word}  {run}{took}  (version {})", plain(&side.version)))
}

fn course(screen: &mut Screen, name: &str, divergence: Option<&Divergence>) -> std::io::Result<()> {
    let Some(Divergence { a, b }) = divergence else { return Ok(()) };
    let event = |passage: &Option<crate::cli::documents::Passage>| match passage {
        Some(passage) => {
            let more = [&passage.op, &passage.text].into_iter().flatten().map(|text| plain(text));
            let more = more.collect::<Vec<_>>().join(" ");
            let kind = plain(&passage.kind);
            // Some tell their kind in their text.
            let kind = if more.starts_with(&kind) { String::new() } else { format!("{kind} ") };
            format!("{} {kind}{more}", passage.seq)
        }
        None => "nothing more".to_owned(),
    };
    screen.line(format!("  {name:<14} {} | {}", event(a).trim_end(), event(b).trim_end()))
}
