//! The smallest durable workflow: `cargo run --example quickstart`.

use std::time::Duration;

use runlog::testing::postgres::locate;
use runlog::{Cx, Retry, Runtime, Workflow};

async fn greet(cx: Cx, name: String) -> anyhow::Result<String> {
    let greeting = cx
        .step("compose", || async { anyhow::Ok(format!("Hello, {name}!")) })
        .retry(Retry::exponential(Duration::from_millis(100)))
        .await?;
    cx.sleep(Duration::from_millis(200)).await?; // as well three days: it costs a row
    Ok(greeting)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // A service has its own pool; here a private Postgres is started unless DATABASE_URL names one.
    let database = locate(std::env::var("DATABASE_URL").ok().as_deref()).await?.start("quickstart").await?;
    let pool = sqlx::PgPool::connect(database.url()).await?;

    let greet = Workflow::function("greet", greet);
    let runtime = Runtime::builder(pool).workflow(greet.clone()).start().await?;

    let run = runtime.run(&greet, "Ada".to_owned()).start().await?;
    println!("{}", run.output().await?);
    for event in runtime.events(run.id(), 0, 100).await? {
        println!("{:>3} {}", event.seq, event.event.kind());
    }

    runtime.shutdown(Duration::from_secs(1)).await?;
    database.stop().await?;
    Ok(())
}
