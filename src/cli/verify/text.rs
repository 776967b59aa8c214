//! A check as a person reads it.

use std::io;

use sqlx::PgPool;

use super::NotDone;
use crate::cli::show::{Screen, Style, counted, plain};
use crate::store::postgres::{Checked, INVARIANTS, Scope, Violation, verify_each};

/// Writes what every invariant says.
pub(super) fn list(screen: &mut Screen) -> io::Result<()> {
    INVARIANTS.iter().try_for_each(|invariant| {
        let name = screen.paint(Style::Strong, format!("{:<40}", invariant.name));
        screen.line(format!("{name} {}", invariant.says))
    })
}

/// Checks, and writes each result as soon as it is known; says whether all invariants hold.
pub(super) async fn check(
    screen: &mut Screen,
    pool: &PgPool,
    scope: &Scope,
    place: &str,
) -> Result<bool, NotDone> {
    screen.line(format!("checking {place}"))?;
    let mut printed = Ok(());
    let each = |checked: &Checked| {
        if printed.is_ok() {
            printed = result(screen, checked);
        }
    };
    let report = verify_each(pool, scope, each).await?;
    printed?;
    let broken = report.checked.iter().filter(|checked| !checked.holds()).count();
    let runs = counted(report.runs, "run");
    let summary = match broken {
        0 => screen.paint(Style::Good, format!("all {} invariants hold over {runs}", report.checked.len())),
        _ => {
            let found = counted(report.count(), "violation");
            let broken =
                format!("{broken} of {} invariants broken, {found} over {runs}", report.checked.len());
            screen.paint(Style::Bad, broken)
        }
    };
    screen.line(format!("\n{summary}"))?;
    Ok(report.holds())
}

fn result(screen: &mut Screen, checked: &Checked) -> io::Result<()> {
    let Checked { invariant, count, violations } = checked;
    if checked.holds() {
        let mark = screen.paint(Style::Good, "✓");
        return screen.line(format!("  {mark} {}", invariant.name));
    }
    let mark = screen.paint(Style::Bad, "✗");
    let name = screen.paint(Style::Strong, invariant.name);
    screen.line(format!("  {mark} {name}: {}; {}", counted(*count, "violation"), invariant.says))?;
    violations.iter().try_for_each(|violation| self::violation(screen, violation))?;
    match count.saturating_sub(violations.len() as u64) {
        0 => Ok(()),
        more => screen.line(format!("      and {more} more")),
    }
}

fn violation(screen: &mut Screen, violation: &Violation) -> io::Result<()> {
    let Violation { run, seqs, detail, .. } = violation;
    let run = run.map(|run| run.to_string()).unwrap_or_default();
    let seqs: Vec<String> = seqs.iter().map(i32::to_string).collect();
    let place = if seqs.is_empty() { String::new() } else { format!(" seq {}", seqs.join(", ")) };
    screen.line(format!("      run {run}{place}: {}", plain(detail)))
}
