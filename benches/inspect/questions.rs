//! The questions, what their answers take, and the aims.

use std::time::Duration;

use anyhow::Context;
use runlog::{RunId, Runtime, Search};
use tokio::time::Instant;

use super::Settings;
use crate::times::percentile_ms;

pub const HEAD: &str =
    "question                                              page   rows   p50 ms   p95 ms   aim ms";

/// Runs of a page.
const LIMIT: u32 = 50;

/// The deep page.
const DEEP: usize = 200;

/// Milliseconds that 95 of 100 answers may take: lists by what every run has, and any documented filter.
const AIM_PLAIN: f64 = 10.0;
const AIM_ANY: f64 = 100.0;

/// Filters with their aims; `#` is another number each time.
const FILTERS: &[(&str, f64)] = &[
    ("", AIM_PLAIN),
    ("status:failed", AIM_PLAIN),
    ("status:failed,timed_out,cancelled", AIM_PLAIN),
    ("status:running", AIM_PLAIN),
    ("status:succeeded", AIM_PLAIN),
    ("workflow:workflow-0", AIM_PLAIN),
    ("workflow:workflow-19", AIM_PLAIN),
    ("workflow:workflow-7 status:failed", AIM_PLAIN),
    ("status:failed since:24h", AIM_PLAIN),
    ("meta.order:#", AIM_ANY),
    ("meta.team:team-3", AIM_ANY),
    ("meta.team:team-3 status:failed", AIM_ANY),
    ("meta.team:team-1,team-2 meta.order:#", AIM_ANY),
    ("key:order-#", AIM_ANY),
    ("key:order-#*", AIM_ANY),
    ("event:evt-#", AIM_ANY),
    ("trigger_key:user-8", AIM_ANY),
    ("id:0199", AIM_ANY),
    ("trigger:cron", AIM_ANY),
    ("version:v3", AIM_ANY),
    ("version:v3 workflow:workflow-4", AIM_ANY),
    ("node:3", AIM_ANY),
    ("node:99", AIM_ANY),
    ("duration:>30s", AIM_ANY),
    ("duration:>1s", AIM_ANY),
    ("error:\"cause number 7 \"", AIM_ANY),
    ("error:nothing-like-it", AIM_ANY),
    ("kind:Error3 workflow:workflow-2", AIM_ANY),
    ("fp:9", AIM_ANY),
    ("finished:>24h is:failed", AIM_ANY),
    ("is:waiting", AIM_ANY),
    ("is:child -workflow:workflow-0", AIM_ANY),
    ("task:steps", AIM_ANY),
    ("workflow:workflow-1*", AIM_ANY),
];

pub async fn ask_all(runtime: &Runtime, settings: &Settings, long: RunId) -> anyhow::Result<()> {
    for (filter, aim) in FILTERS {
        let digits: String = long.to_string().chars().take(8).collect();
        let filter = filter.replace("id:0199", &format!("id:{digits}"));
        let (rows, first) = pages(runtime, settings, &filter, None).await?;
        print(&filter, "first", rows, first, *aim);
        if let Some((page, cursor)) = deep(runtime, &filter).await? {
            let (rows, times) = pages(runtime, settings, &filter, Some(cursor)).await?;
            print(&filter, &page.to_string(), rows, times, *aim);
        }
    }
    let mut times = Vec::new();
    for _ in 0..settings.rounds {
        let begun = Instant::now();
        runtime.get(long).await?.context("the long run")?;
        times.push(begun.elapsed());
    }
    print("get of a run with 5,000 events", "", 1, times, AIM_ANY);
    for filter in ["finished:>24h", "since:24h", ""] {
        let search = Search::new(filter.parse()?);
        let (mut times, mut groups) = (Vec::new(), 0);
        for _ in 0..settings.rounds {
            let begun = Instant::now();
            groups = runtime.failures(&search).await?.groups.len();
            times.push(begun.elapsed());
        }
        print(&format!("failure groups, {filter}"), "", groups, times, AIM_ANY);
    }
    for filter in ["", "status:failed", "since:24h"] {
        let search = Search::new(filter.parse()?);
        let mut times = Vec::new();
        for _ in 0..settings.rounds {
            let begun = Instant::now();
            runtime.count(&search).await?;
            times.push(begun.elapsed());
        }
        print(&format!("count, {filter}"), "", 1, times, AIM_ANY);
    }
    Ok(())
}

/// Finds where the deep page, or the last one, begins.
async fn deep(runtime: &Runtime, filter: &str) -> anyhow::Result<Option<(usize, String)>> {
    if filter.contains('#') {
        return Ok(None);
    }
    let search = Search::new(filter.parse()?).limit(LIMIT);
    let mut found = None;
    for page in 2..=DEEP {
        let search = match &found {
            Some((_, cursor)) => search.clone().cursor(cursor),
            None => search.clone(),
        };
        match runtime.list(&search).await?.next {
            Some(next) => found = Some((page, next)),
            None => break,
        }
    }
    Ok(found)
}

async fn pages(
    runtime: &Runtime,
    settings: &Settings,
    filter: &str,
    cursor: Option<String>,
) -> anyhow::Result<(usize, Vec<Duration>)> {
    let (mut times, mut rows) = (Vec::new(), 0);
    for round in 0..=settings.rounds as u32 {
        // Spread over all runs, by the golden section.
        let number = (u64::from(round) * 618_033 + 8) % u64::from(settings.runs) / 10 * 10 + 8;
        let number = if filter.contains("key:") { number - 8 } else { number };
        let mut search = Search::new(filter.replace('#', &number.to_string()).parse()?).limit(LIMIT);
        if let Some(cursor) = &cursor {
            search = search.cursor(cursor);
        }
        let begun = Instant::now();
        let page = runtime.list(&search).await?;
        // The first one only warms up.
        if round > 0 {
            times.push(begun.elapsed());
        }
        rows = page.data.len();
    }
    Ok((rows, times))
}

fn print(question: &str, page: &str, rows: usize, mut times: Vec<Duration>, aim: f64) {
    times.sort_unstable();
    let (p50, p95) = (percentile_ms(&times, 50), percentile_ms(&times, 95));
    let verdict = if p95 > aim { " MISSED" } else { "" };
    println!("{question:<52} {page:>5} {rows:>6} {p50:>8.2} {p95:>8.2} {:>8}{verdict}", format!("< {aim}"));
}
