//! What happens to a node's process.

use std::time::Duration;

use anyhow::Context;
use tokio::process::Command;

use super::Outcome;
use crate::ground::Ground;
use crate::node::LEASE;
use crate::slot::Slot;

/// The guard is in [`Slot::kill`]: the process ended by signal 9.
pub async fn kill(ground: &Ground) -> anyhow::Result<Outcome> {
    let mut slot = ground.take().await;
    slot.kill().await?;
    Ok(Outcome::Landed("ended by signal 9".to_owned()))
}

pub async fn leave(ground: &Ground) -> anyhow::Result<Outcome> {
    let mut slot = ground.take_joined().await?;
    slot.leave().await?;
    slot.start().await?;
    Ok(Outcome::Landed("left with 0".to_owned()))
}

/// Shorter than the lease: nobody may notice.
pub async fn pause_below(ground: &Ground) -> anyhow::Result<Outcome> {
    let mut slot = ground.take_joined().await?;
    pause(ground, &mut slot, LEASE.mul_f64(0.3)).await?;
    Ok(Outcome::Landed("stopped, went on".to_owned()))
}

pub async fn pause_beyond(ground: &Ground) -> anyhow::Result<Outcome> {
    let mut slot = ground.take_joined().await?;
    let before = ground.incarnations(&slot).await?;
    let pause_for = LEASE.mul_f64(1.5 + 1.5 * ground.chance.chance());
    pause(ground, &mut slot, pause_for).await?;
    rejoined(ground, &slot, before).await
}

/// The zombie: its process stands still beyond the lease while a commit of it is under way in the server. Whoever
/// takes its runs over must see what that commit wrote.
pub async fn pause_in_commit(ground: &Ground) -> anyhow::Result<Outcome> {
    let server = ground.server.lock().await;
    let mut slot = ground.take_joined().await?;
    let before = ground.incarnations(&slot).await?;
    let slow = ground.slow_down(&slot, LEASE.mul_f64(2.5)).await;
    if slow.is_ok() {
        pause(ground, &mut slot, LEASE * 3).await?;
    }
    ground.hurry().await?;
    drop(server);
    slow?;
    rejoined(ground, &slot, before).await
}

/// The process must really stand still: state T.
async fn pause(ground: &Ground, slot: &mut Slot, time: Duration) -> anyhow::Result<()> {
    slot.signal("STOP").await?;
    let stopped = ground.within("the node is in state T", async || Ok(slot.state()? == 'T')).await;
    tokio::time::sleep(time).await;
    slot.signal("CONT").await?;
    stopped
}

pub async fn panic(ground: &Ground) -> anyhow::Result<Outcome> {
    let mut slot = ground.take_joined().await?;
    mishap(ground, &mut slot, "panic").await?;
    Ok(Outcome::Landed("a body panicked".to_owned()))
}

pub async fn block(ground: &Ground) -> anyhow::Result<Outcome> {
    let mut slot = ground.take_joined().await?;
    let before = ground.incarnations(&slot).await?;
    mishap(ground, &mut slot, "block").await?;
    rejoined(ground, &slot, before).await
}

/// Orders the next body to fail in some way, and waits until it says that it does.
async fn mishap(ground: &Ground, slot: &mut Slot, what: &str) -> anyhow::Result<()> {
    slot.order(what).await?;
    let (facts, sign) = (slot.facts(), format!("\"what\":\"{what}\""));
    let happened = async || Ok(std::fs::read_to_string(&facts)?.contains(&sign));
    ground.within(&format!("a body does {what}"), happened).await
}

/// The same process joined once more: it was fenced, and came back as a new node.
pub async fn rejoined(ground: &Ground, slot: &Slot, before: i64) -> anyhow::Result<Outcome> {
    let again = async || Ok(ground.incarnations(slot).await? > before);
    ground.within(&format!("node {} is fenced and joins anew", slot.name()), again).await?;
    Ok(Outcome::Landed("fenced, joined anew".to_owned()))
}

/// The program gives up where a killed process of the same number left its semaphore.
const FAKETIME_TRIES: usize = 3;

/// A node lives for a while with a wall clock that is an hour ahead, and a monotonic clock that is right.
pub async fn wall_clock(ground: &Ground) -> anyhow::Result<Outcome> {
    let mut slot = ground.take().await;
    if Command::new("faketime").arg("--version").output().await.is_err() {
        return Ok(Outcome::Skipped("the program faketime is not here".to_owned()));
    }
    slot.kill_only().await?;
    for _ in 0..FAKETIME_TRIES {
        let mut through = Command::new("faketime");
        through
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .args(["-f", "+3600s"]);
        slot.start_through(Some(&mut through)).await?;
        tokio::time::sleep(LEASE / 4).await;
        if slot.check_alive().is_ok() {
            break;
        }
    }
    let facts = slot.facts();
    let is_off = async || {
        let text = std::fs::read_to_string(&facts)?;
        let skew = text.split("\"skew_s\":").nth(1).and_then(|rest| rest.split(['}', ',']).next());
        Ok((3_590..3_610).contains(&skew.context("no skew yet")?.parse::<i64>()?))
    };
    let guard = ground.within("a node's wall clock is off by an hour", is_off).await;
    tokio::time::sleep(LEASE * 3).await;
    slot.kill().await?;
    guard.map(|()| Outcome::Landed("the node's wall clock was 3600 s ahead".to_owned()))
}
