//! A typed DAG with a fan-out, retries, a timeout and an on-failure task: `cargo run --example checkout`.
//!
//! ```text
//! reserve ─┬─▶ charge ──▶ ship
//! score  ──┘                        any failure: undo
//! ```

use std::time::Duration;

use runlog::testing::postgres::locate;
use runlog::{Retry, RunHandle, Runtime, TaskErrors, Workflow};
use serde::{Deserialize, Serialize};

use self::payment::PaymentError;

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    number: u32,
    item: String,
    cents: u32,
}

#[derive(Serialize, Deserialize)]
struct Receipt {
    payment: String,
    parcel: String,
}

fn checkout() -> Workflow<Order, Receipt> {
    let w = Workflow::dag("checkout").timeout(Duration::from_secs(60));

    // These two wait for nothing: they run at the same time.
    let reserve = w.task("reserve", |_cx, order: Order| warehouse::reserve(order.item));
    let score = w
        .task("score", |_cx, order: Order| fraud::score(order.cents))
        .timeout(Duration::from_millis(300))
        .retry(Retry::fixed(Duration::from_millis(20)).max_attempts(2));

    // An edge is a type: the closure takes what `reserve` and `score` give, anything else does not compile.
    let charge = w
        .task_after("charge", (&reserve, &score), |cx, order: Order, (_stock, risk): (String, u32)| {
            // The same key for every attempt: the bank books it once, however often we ask.
            payment::charge(cx.idempotency_key(), cx.attempt(), order.cents, risk)
        })
        .retry(Retry::exponential(Duration::from_millis(20)).max_attempts(4))
        .retry_if(|error: &PaymentError| matches!(error, PaymentError::Busy));
    let ship =
        w.task_after("ship", (&reserve, &charge), |_cx, order: Order, (stock, payment): (String, String)| {
            let parcel = format!("parcel of {} with {stock}", order.item);
            async move { Ok::<_, std::io::Error>(Receipt { payment, parcel }) }
        });

    w.on_failure("undo", |cx, _order: Order, errors: TaskErrors| async move {
        // What succeeded has an output, what failed has an error.
        let stock: Option<String> = cx.output("reserve")?;
        let failed: Vec<&str> = errors.iter().map(|(task, _)| task.as_str()).collect();
        anyhow::Ok(format!("gave back {} after {} failed", stock.unwrap_or_default(), failed.join(", ")))
    });
    w.output(&ship)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let database = locate(std::env::var("DATABASE_URL").ok().as_deref()).await?.start("checkout").await?;
    let pool = sqlx::PgPool::connect(database.url()).await?;
    let checkout = checkout();
    let runtime = Runtime::builder(pool).workflow(checkout.clone()).start().await?;

    // Order 1 meets a busy bank, order 2 a bank that says no, order 3 a fraud service that hangs.
    for (number, item, cents) in [(1, "lamp", 4_900), (2, "piano", 990_000), (3, "anvil", 13)] {
        let order = Order { number, item: item.to_owned(), cents };
        println!("order {}: {}, {} cents", order.number, order.item, order.cents);
        let run = runtime.run(&checkout, order).metadata([("order", number.to_string())]).start().await?;
        match run.output().await {
            Ok(receipt) => println!("  {}, {}", receipt.payment, receipt.parcel),
            Err(runlog::RunError::Failed { task: Some(task), error, .. }) => {
                println!("  {task} failed: {error}")
            }
            Err(error) => return Err(error.into()),
        }
        show_tasks(&run).await?;
    }

    runtime.shutdown(Duration::from_secs(1)).await?;
    database.stop().await?;
    Ok(())
}

async fn show_tasks(run: &RunHandle<Receipt>) -> anyhow::Result<()> {
    for task in run.get().await?.tasks {
        let output = task.output.map(|output| output.to_string()).unwrap_or_default();
        let line = format!(
            "  {:<8}{:<11}attempts: {}  {output}",
            task.name.as_str(),
            task.status,
            task.attempts.len()
        );
        println!("{}", line.trim_end());
    }
    Ok(())
}

mod warehouse {
    pub(crate) async fn reserve(item: String) -> Result<String, std::io::Error> {
        Ok(format!("{item} from shelf {}", item.len()))
    }
}

mod fraud {
    /// Hangs on suspiciously cheap orders.
    pub(crate) async fn score(cents: u32) -> Result<u32, std::io::Error> {
        if cents < 100 {
            std::future::pending::<()>().await;
        }
        Ok(cents / 10_000)
    }
}

mod payment {
    #[derive(Debug, thiserror::Error)]
    pub(crate) enum PaymentError {
        #[error("the bank is busy")]
        Busy,
        #[error("the bank refuses {cents} cents at risk {risk}")]
        Refused { cents: u32, risk: u32 },
    }

    /// Is busy twice, then answers.
    pub(crate) async fn charge(
        _key: String,
        attempt: u32,
        cents: u32,
        risk: u32,
    ) -> Result<String, PaymentError> {
        match (attempt, risk) {
            (1 | 2, _) => Err(PaymentError::Busy),
            (_, 50..) => Err(PaymentError::Refused { cents, risk }),
            _ => Ok(format!("{cents} cents charged")),
        }
    }
}
