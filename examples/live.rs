//! What can be seen of a run while it goes on: a stream that its code sends, its log lines, and its events:
//! `cargo run --example live`.

use runlog::store::LogQuery;
use runlog::testing::postgres::locate;
use runlog::{Cx, Runtime, Workflow};
use tracing_subscriber::layer::SubscriberExt;

async fn report(cx: Cx, pages: u32) -> anyhow::Result<u32> {
    let progress = cx.stream("progress");
    for page in 1..=pages {
        let body = || async {
            if page == 2 {
                // The code's own events become lines of its run: the layer in `main` takes them.
                tracing::warn!(page, "this one is large");
            }
            anyhow::Ok(())
        };
        cx.step("render", body).await?;
        // On return it is committed. After a crash the code comes by here again, and it is still the same chunk.
        progress.send(&format!("page {page} of {pages}")).await?;
    }
    cx.log().field("pages", pages).info("done");
    Ok(pages)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let subscriber = tracing_subscriber::registry().with(runlog::telemetry::log_layer());
    tracing::subscriber::set_global_default(subscriber)?;
    let database = locate(std::env::var("DATABASE_URL").ok().as_deref()).await?.start("live").await?;
    let pool = sqlx::PgPool::connect(database.url()).await?;
    let report = Workflow::function("report", report);
    let runtime = Runtime::builder(pool).workflow(report.clone()).start().await?;
    let run = runtime.run(&report, 3).start().await?.id();

    println!("its stream:");
    let mut progress = runtime.stream(run, "progress", 0)?;
    while let Some(chunk) = progress.next().await {
        let chunk = chunk?;
        println!("{:>3} {}", chunk.n, chunk.data);
    }

    println!("its lines:");
    let mut lines = runtime.follow_logs(run, LogQuery::default());
    while let Some(line) = lines.next().await {
        let line = line?;
        let (step, fields) =
            (line.step.unwrap_or_default(), line.line.fields.map(|fields| fields.to_string()));
        println!("  {:5} {:<9} {} {}", line.line.level, step, line.line.message, fields.unwrap_or_default());
    }

    // Whoever was cut off goes on after the last seq that he has.
    println!("its events, from the fourth on:");
    let mut events = runtime.watch(run, 3);
    while let Some(event) = events.next().await {
        let event = event?;
        println!("{:>3} {}", event.seq, event.event.kind());
    }
    runtime.shutdown(std::time::Duration::from_secs(1)).await?;
    database.stop().await?;
    Ok(())
}
