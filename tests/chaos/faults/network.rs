//! What happens between a node and the server.

use std::time::Duration;

use super::Outcome;
use super::process::rejoined;
use crate::ground::Ground;
use crate::node::LEASE;
use crate::proxy::{Counts, Kind, Once, Way};

pub async fn cut_before(ground: &Ground) -> anyhow::Result<Outcome> {
    once(ground, Once::CutBefore, |counts| counts.cut_before, "an append was never sent").await
}

pub async fn cut_within(ground: &Ground) -> anyhow::Result<Outcome> {
    once(ground, Once::CutWithin, |counts| counts.cut_within, "half an append was sent").await
}

pub async fn cut_after(ground: &Ground) -> anyhow::Result<Outcome> {
    once(ground, Once::CutAfter, |counts| counts.cut_after, "a commit's answer was lost").await
}

pub async fn forged_serialization(ground: &Ground) -> anyhow::Result<Outcome> {
    let kind = if ground.chance.chance() < 0.7 { Kind::Append } else { Kind::Claim };
    once(ground, Once::Forge(kind, "40001"), |counts| counts.forged, "40001 was forged").await
}

pub async fn forged_deadlock(ground: &Ground) -> anyhow::Result<Outcome> {
    let kind = if ground.chance.chance() < 0.7 { Kind::Append } else { Kind::Heartbeat };
    once(ground, Once::Forge(kind, "40P01"), |counts| counts.forged, "40P01 was forged").await
}

pub async fn forged_connections(ground: &Ground) -> anyhow::Result<Outcome> {
    once(ground, Once::Forge(Kind::Append, "53300"), |counts| counts.forged, "53300 was forged").await
}

/// Has the proxy do something once, and waits until it has counted it.
async fn once(ground: &Ground, what: Once, count: fn(&Counts) -> u64, seen: &str) -> anyhow::Result<Outcome> {
    let slot = ground.take_joined().await?;
    let before = count(&slot.proxy.counts());
    slot.proxy.once(what);
    let landed = ground.within(seen, async || Ok(count(&slot.proxy.counts()) > before)).await;
    slot.proxy.relent();
    landed.map(|()| Outcome::Landed(seen.to_owned()))
}

pub async fn latency(ground: &Ground) -> anyhow::Result<Outcome> {
    let slot = ground.take_joined().await?;
    let before = slot.proxy.counts();
    let latency = Duration::from_millis(20 + (60.0 * ground.chance.chance()) as u64);
    slot.proxy.set_latency(latency);
    tokio::time::sleep(LEASE * 2).await;
    // Another fault may have the server away for as long.
    let delayed = async || Ok(slot.proxy.counts().delayed > before.delayed);
    let landed = ground.within("a batch is delayed", delayed).await;
    slot.proxy.set_latency(Duration::ZERO);
    landed?;
    let after = slot.proxy.counts();
    let (batches, delay) = (after.delayed - before.delayed, after.delay - before.delay);
    let mean = delay / u32::try_from(batches)?;
    anyhow::ensure!(mean >= latency, "batches were delayed by {mean:?} instead of {latency:?}");
    Ok(Outcome::Landed("batches were delayed by as much".to_owned()))
}

pub async fn half_open_up(ground: &Ground) -> anyhow::Result<Outcome> {
    half_open(ground, Way::ToServer).await
}

pub async fn half_open_down(ground: &Ground) -> anyhow::Result<Outcome> {
    half_open(ground, Way::ToNode).await
}

async fn half_open(ground: &Ground, way: Way) -> anyhow::Result<Outcome> {
    let slot = ground.take_joined().await?;
    let before = slot.proxy.counts().swallowed_bytes;
    slot.proxy.swallow(Some(way));
    tokio::time::sleep(LEASE.mul_f64(0.5 + 2.0 * ground.chance.chance())).await;
    let swallowed = async || Ok(slot.proxy.counts().swallowed_bytes > before);
    let landed = ground.within("something is swallowed", swallowed).await;
    slot.proxy.swallow(None);
    landed.map(|()| Outcome::Landed("messages were swallowed".to_owned()))
}

/// An append that is under way for longer than the lease: its node is dead when it arrives.
pub async fn late(ground: &Ground) -> anyhow::Result<Outcome> {
    let slot = ground.take_joined().await?;
    let (incarnations, before) = (ground.incarnations(&slot).await?, slot.proxy.counts().held);
    slot.proxy.once(Once::Hold(LEASE.mul_f64(2.2)));
    let held = ground.within("an append is held", async || Ok(slot.proxy.counts().held > before)).await;
    slot.proxy.relent();
    held?;
    rejoined(ground, &slot, incarnations).await
}

/// Polling is the truth: nothing may depend on a notification. Where nobody listens, none can be lost.
pub async fn lost_notifications(ground: &Ground) -> anyhow::Result<Outcome> {
    let slot = ground.take_joined().await?;
    let listens = slot.proxy.counts().listens > 0;
    let before = slot.proxy.counts().notifications_dropped;
    slot.proxy.drop_notifications(true);
    tokio::time::sleep(LEASE * 2).await;
    let dropped = async || Ok(!listens || slot.proxy.counts().notifications_dropped > before);
    let landed = ground.within("a notification is dropped", dropped).await;
    slot.proxy.drop_notifications(false);
    landed?;
    Ok(match listens {
        true => Outcome::Landed("notifications were dropped".to_owned()),
        false => Outcome::Skipped("the engine listens to no notification".to_owned()),
    })
}
