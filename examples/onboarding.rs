//! A durable function that sleeps, waits for a signal, races both and starts a child run:
//! `cargo run --example onboarding`.
//!
//! The function is plain async Rust. Between its steps it may take days and survive any number of restarts: what its
//! `cx` recorded is answered from the log and not done again.

use std::time::Duration;

use runlog::testing::postgres::locate;
use runlog::{Cx, Either, Retry, Runtime, Workflow};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct User {
    name: String,
}

/// The signal that somebody opened the welcome mail.
#[derive(Serialize, Deserialize)]
struct Opened {
    device: String,
}

async fn onboarding(cx: Cx, user: User) -> anyhow::Result<Vec<String>> {
    let mut story = Vec::new();

    // A step is done once. It is tried again as its policy says, and its outcome is kept.
    let account = cx
        .step("create account", || accounts::create(&user.name, cx.idempotency_key()))
        .retry(Retry::exponential(Duration::from_millis(50)))
        .await?;
    story.push(format!("account {account}"));

    // Whoever is ready first wins, is recorded as the winner, and wins again after a crash.
    match cx.race(cx.signal::<Opened>("opened"), cx.sleep(Duration::from_millis(400))).await {
        Either::First(opened) => match opened? {
            Some(Opened { device }) => story.push(format!("opened the mail on a {device}")),
            None => story.push("only a wait with a timeout ends like this".to_owned()),
        },
        Either::Second(slept) => {
            slept?;
            cx.step("remind", || async { anyhow::Ok(()) }).await?;
            story.push("did not open the mail, was reminded".to_owned());
        }
    }

    // A wait with a deadline of its own: `None` when nothing came in time.
    let plan = cx.signal::<String>("plan").timeout(Duration::from_millis(400)).await?;
    let plan = plan.unwrap_or_else(|| "free".to_owned());

    // Another run, linked both ways, with a log of its own.
    let invoice = cx.child(&invoice_workflow(), plan).await?;
    story.push(invoice);
    Ok(story)
}

async fn invoice(cx: Cx, plan: String) -> anyhow::Result<String> {
    let number = cx.step("number", || async { anyhow::Ok(7) }).await?;
    Ok(format!("invoice {number} for the plan {plan}"))
}

fn invoice_workflow() -> Workflow<String, String> {
    Workflow::function("invoice", invoice)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let database = locate(std::env::var("DATABASE_URL").ok().as_deref()).await?.start("onboarding").await?;
    let pool = sqlx::PgPool::connect(database.url()).await?;
    let onboarding = Workflow::function("onboarding", onboarding);
    let runtime =
        Runtime::builder(pool).workflow(onboarding.clone()).workflow(invoice_workflow()).start().await?;

    // In a service a key is the user's own id; here it is new for every start of the example.
    let key = |name: &str| format!("user-{name}-{}", std::process::id());

    // Ada opens her mail and chooses a plan. A signal that comes before the code asks for it is kept.
    let ada = runtime.run(&onboarding, User { name: "Ada".to_owned() }).key(key("ada")).start().await?;
    ada.signal("opened", &Opened { device: "phone".to_owned() }).await?;
    ada.signal("plan", &"gold").await?;
    println!("Ada:  {}", ada.output().await?.join("; "));

    // Nobody hears of Bob again.
    let bob = runtime.run(&onboarding, User { name: "Bob".to_owned() }).key(key("bob")).start().await?;
    println!("Bob:  {}", bob.output().await?.join("; "));

    // The same key is the same run.
    let again =
        runtime.run(&onboarding, User { name: "Ada".to_owned() }).key(key("ada")).start_or_get().await?;
    println!("Ada's key again: a new run? {}", again.created);

    println!("Bob's log:");
    for event in runtime.events(bob.id(), 0, 100).await? {
        println!("{:>3} {}", event.seq, event.event.kind());
    }
    runtime.shutdown(Duration::from_secs(1)).await?;
    database.stop().await?;
    Ok(())
}

mod accounts {
    /// Creates an account; whoever asks twice with one key gets the same account.
    pub(crate) async fn create(name: &str, _key: String) -> Result<String, std::io::Error> {
        Ok(format!("{}@example.org", name.to_lowercase()))
    }
}
