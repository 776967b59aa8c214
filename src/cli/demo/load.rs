//! A database to look around in: thousands of runs that went well, failed for some causes, wait, or ran out of time, and one
//! with a long log.

use std::error::Error;
use std::io;
use std::num::ParseIntError;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Desk;
use super::shop::{Order, Shop};
use crate::model::RunId;
use crate::runtime::{self, CancelOptions, NewRun, Runtime, RuntimeBuilder};
use crate::workflow::{Cx, CxError, Workflow};

/// Runs that are started together, so that lists show some of each.
const STARTED_AT_ONCE: u32 = 20;

/// It is said after so many runs how far it is.
const TOLD_EVERY: u32 = 1_000;

/// Steps of the run with the long log: with what else happens to it, some 5,000 events.
const LONG_STEPS: u32 = 4_990;

/// The checkouts among the first so many runs meet a payment service that is down.
const DOWN_FOR: u32 = 60;

/// Whose runs they are, as their metadata says.
const TENANTS: [&str; 4] = ["acme", "globex", "initech", "umbrella"];

/// A file to import.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct File {
    name: String,
    amounts: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("row {row} of {file} has no amount")]
struct ParseError {
    file: String,
    row: usize,
    #[source]
    source: ParseIntError,
}

/// What is run beside the checkout.
pub(super) struct Beside {
    import: Workflow<File, u64>,
    approve: Workflow<u32, String>,
    sync: Workflow<u32, ()>,
    ledger: Workflow<u32, u32>,
}

impl Beside {
    pub(super) fn new() -> Beside {
        Beside {
            import: Workflow::function("import", import),
            approve: Workflow::function("approve", approve),
            sync: Workflow::function("sync", sync).timeout(Duration::from_secs(2)),
            ledger: Workflow::function("ledger", ledger),
        }
    }

    /// Has a runtime serve them.
    pub(super) fn served(&self, builder: RuntimeBuilder) -> RuntimeBuilder {
        builder
            .workflow(self.import.clone())
            .workflow(self.approve.clone())
            .workflow(self.sync.clone())
            .workflow(self.ledger.clone())
    }

    /// Starts `count` runs and the one with the long log, and says how far it is.
    pub(super) async fn fill(
        &self,
        runtime: &Runtime,
        checkout: &Workflow<Order, super::shop::Receipt>,
        shop: &Shop,
        desk: &mut Desk,
        count: u32,
    ) -> Result<(), Box<dyn Error>> {
        let long = runtime.run(&self.ledger, LONG_STEPS).metadata([("tenant", "acme")]).start().await?;
        let tagged = |n: u32| {
            [("tenant", pick(&TENANTS, n)), ("env", if n.is_multiple_of(5) { "test" } else { "prod" })]
        };
        let mut begun = 0;
        while begun < count {
            let to = count.min(begun + STARTED_AT_ONCE);
            let (mut orders, mut files, mut approvals, mut syncs) =
                (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            for n in begun..to {
                match n % 20 {
                    0..12 => orders.push(runtime.run(checkout, order(n)).metadata(tagged(n))),
                    12..18 => files.push(runtime.run(&self.import, file(n)).metadata(tagged(n))),
                    18 => approvals.push(runtime.run(&self.approve, n).metadata(tagged(n))),
                    _ => syncs.push(runtime.run(&self.sync, n).metadata(tagged(n))),
                }
            }
            let mut ending = started(runtime, orders).await?;
            ending.extend(started(runtime, files).await?);
            ending.extend(started(runtime, syncs).await?);
            let waiting = runtime.start_many(approvals).await?;
            if let Some(one) = waiting.first().filter(|_| to.is_multiple_of(3)) {
                one.run.cancel(CancelOptions::default().by("demo").reason("asked twice")).await?;
            }
            if begun < DOWN_FOR || to == count {
                for run in ending {
                    runtime.handle(run).wait().await?;
                }
            }
            if to >= DOWN_FOR {
                shop.repair();
            }
            if to == count || to.is_multiple_of(TOLD_EVERY) {
                desk.screen.line(format!("started    {to} of {count} runs"))?;
            }
            begun = to;
        }
        desk.screen.line(format!("long log   run {}", long.id()))?;
        long.wait().await?;
        Ok(())
    }
}

async fn started<O>(runtime: &Runtime, runs: Vec<NewRun<'_, O>>) -> Result<Vec<RunId>, runtime::Error> {
    Ok(runtime.start_many(runs).await?.iter().map(|started| started.run.id()).collect())
}

fn pick(words: &[&'static str], n: u32) -> &'static str {
    words.get(n as usize % words.len()).copied().unwrap_or_default()
}

fn order(n: u32) -> Order {
    Order {
        number: n,
        item: pick(&["lamp", "chair", "desk", "shelf"], n / 3).to_owned(),
        cents: 900 + n % 77 * 100,
    }
}

/// One file of seventeen has a row without an amount.
fn file(n: u32) -> File {
    let amount = |row: u32| match n.is_multiple_of(17) && row == 4 {
        true => "n/a".to_owned(),
        false => (row * 7 + n).to_string(),
    };
    File { name: format!("orders-{n}.csv"), amounts: (0..8).map(amount).collect() }
}

/// Reads a file's amounts, some at a time.
async fn import(cx: Cx, file: File) -> Result<u64, CxError> {
    let mut sum = 0;
    for (at, some) in file.amounts.chunks(4).enumerate() {
        let read = || async {
            cx.log().info(format!("{}: rows from {}", file.name, at * 4));
            let amount = |(row, text): (usize, &String)| {
                let wrong = |source| ParseError { file: file.name.clone(), row: at * 4 + row, source };
                text.parse::<u64>().map_err(wrong)
            };
            some.iter().enumerate().map(amount).sum::<Result<u64, ParseError>>()
        };
        sum += cx.step("rows", read).await?;
    }
    Ok(sum)
}

/// Waits for somebody's approval.
async fn approve(cx: Cx, _request: u32) -> Result<String, CxError> {
    Ok(cx.signal::<String>("approved").await?.unwrap_or_default())
}

/// Asks a service that does not answer in time, now and then.
async fn sync(cx: Cx, n: u32) -> Result<(), CxError> {
    let ask = || async {
        let slow = n.is_multiple_of(3);
        tokio::time::sleep(Duration::from_millis(if slow { 60_000 } else { 5 })).await;
        Ok::<_, io::Error>(())
    };
    cx.step("ask", ask).await
}

/// Makes as many steps as its input says.
async fn ledger(cx: Cx, steps: u32) -> Result<u32, CxError> {
    for n in 0..steps {
        cx.step("entry", || async { Ok::<_, io::Error>(n) }).await?;
    }
    Ok(steps)
}
