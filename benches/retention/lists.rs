//! How long lists take whose runs are archived.

use runlog::{Runtime, Search};
use tokio::time::Instant;

use crate::times::percentile_ms;

/// Filters, and the milliseconds that 95 of 100 answers may take; `#` is another number each time.
const FILTERS: &[(&str, f64)] = &[
    ("", 10.0),
    ("is:archived", 10.0),
    ("until:30d", 10.0),
    ("is:archived status:failed", 10.0),
    ("workflow:workflow-7 until:30d", 10.0),
    ("workflow:workflow-7 status:failed", 10.0),
    ("key:order-#", 100.0),
    ("meta.order:#", 100.0),
    ("meta.team:team-3 until:30d", 100.0),
    ("event:evt-#", 100.0),
    ("duration:>30s until:30d", 100.0),
    ("error:nothing-like-it is:archived", 100.0),
    ("node:99 is:archived", 100.0),
];

/// How often each is asked.
const ROUNDS: u32 = 40;

pub async fn ask_all(runtime: &Runtime) -> anyhow::Result<()> {
    println!("\nquestion over the archive               rows   p50 ms   p95 ms   aim ms");
    for (filter, aim) in FILTERS {
        let (mut times, mut rows) = (Vec::new(), 0);
        for round in 0..=ROUNDS {
            let number = (round * 7_919) % 1_999 * 10;
            let number = if filter.contains("event:") { number + 8 } else { number };
            let search = Search::new(filter.replace('#', &number.to_string()).parse()?);
            let begun = Instant::now();
            rows = runtime.list(&search).await?.data.len();
            // The first one only warms up.
            if round > 0 {
                times.push(begun.elapsed());
            }
        }
        times.sort_unstable();
        let (p50, p95) = (percentile_ms(&times, 50), percentile_ms(&times, 95));
        let verdict = if p95 > *aim { " MISSED" } else { "" };
        println!("{filter:<38} {rows:>6} {p50:>8.2} {p95:>8.2} {:>8}{verdict}", format!("< {aim}"));
    }
    Ok(())
}
