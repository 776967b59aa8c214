//! `runlog trace`: a run as spans.

mod show;
mod export;
mod backend;

use std::future::ready;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Result;
use runlog::telemetry::spans::{Span, Tracer, Value};
use runlog::{Cx, Retry, RunId, Runtime, Workflow};

use crate::support::{Ground, Postgres};

/// Some of everything: a step that fails once, a sleep, and a child run.
fn order() -> Workflow<u32, u32> {
    async fn code(cx: Cx, fails: u32) -> Result<u32> {
        let charge = cx.step("charge", {
            let tries = AtomicU32::new(0);
            move || {
                let tried = tries.fetch_add(1, Ordering::Relaxed);
                async move { if tried < fails { Err(std::io::Error::other("declined")) } else { Ok(1) } }
            }
        });
        let retry = Retry::fixed(Duration::from_millis(5)).max_attempts(2);
        charge.retry(retry).await?;
        cx.sleep(Duration::from_millis(5)).await?;
        let parcel = cx.child(&parcel(), 7).await?;
        Ok(parcel)
    }
    Workflow::function("order", code)
}

fn parcel() -> Workflow<u32, u32> {
    async fn code(cx: Cx, number: u32) -> Result<u32> {
        Ok(cx.step("pack", || ready(anyhow::Ok(number))).await?)
    }
    Workflow::function("parcel", code)
}

fn chatty() -> Workflow<u32, u32> {
    async fn code(cx: Cx, steps: u32) -> Result<u32> {
        for number in 0..steps {
            cx.step("step", || ready(anyhow::Ok(number))).await?;
        }
        Ok(steps)
    }
    Workflow::function("chatty", code)
}

pub(super) async fn serving(ground: &Postgres) -> Result<Runtime> {
    let builder = ground.builder().workflow(order()).workflow(parcel()).workflow(chatty());
    Ok(builder.start().await?)
}

/// Runs an order to its end; `fails` times its step fails, and 2 are too many.
pub(super) async fn ordered(runtime: &Runtime, fails: u32) -> Result<RunId> {
    let run = runtime.run(&order(), fails).start().await?;
    let _ended = run.output().await;
    Ok(run.id())
}

/// The spans that a run's log says.
pub(super) async fn derived(runtime: &Runtime, run: RunId) -> Result<Vec<Span>> {
    let mut tracer = Tracer::new(run);
    let mut spans = Vec::new();
    loop {
        let events = runtime.events(run, tracer.seq(), 1_000).await?;
        if events.is_empty() {
            return Ok(spans);
        }
        spans.extend(events.iter().flat_map(|event| tracer.record(event)));
    }
}

/// The runs of an order: itself and its child.
pub(super) async fn family(runtime: &Runtime, run: RunId) -> Result<Vec<Span>> {
    let mut spans = derived(runtime, run).await?;
    let child = spans.iter().find_map(|span| span.attribute("runlog.child.run.id").cloned());
    if let Some(Value::Text(child)) = child {
        spans.extend(derived(runtime, child.parse()?).await?);
    }
    Ok(spans)
}
