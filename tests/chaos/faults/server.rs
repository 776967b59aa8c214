//! What happens to the server. What concerns all nodes holds [`Ground::server`] meanwhile.

use std::time::Duration;

use anyhow::{Context, ensure};
use sqlx::{Connection, PgConnection};
use tokio::time::Instant;

use super::Outcome;
use crate::ground::{Ground, LAND_MAX};
use crate::node::LEASE;

/// More connections than any server of ours allows.
const CONNECTIONS_MAX: usize = 400;

pub async fn terminate(ground: &Ground) -> anyhow::Result<Outcome> {
    let server = ground.server.lock().await;
    let terminated = "with chosen as materialized (
            select pid from pg_stat_activity
            where datname = 'chaos' and backend_type = 'client backend' and pid <> pg_backend_pid() and random() < 0.5
        ) select pid from chosen where pg_terminate_backend(pid)";
    let begun = Instant::now();
    let pids = loop {
        let ask = async || sqlx::query_scalar(terminated).fetch_all(&ground.pool).await;
        let pids: Vec<i32> = ground.insist(ask).await?;
        if !pids.is_empty() {
            break pids;
        }
        // After a crash of the server the nodes are only coming back.
        ensure!(begun.elapsed() < LAND_MAX, "there was no backend to terminate");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let left = "select count(*) from pg_stat_activity where pid = any($1)";
    let vanished =
        async || Ok(sqlx::query_scalar::<_, i64>(left).bind(&pids).fetch_one(&ground.pool).await? == 0);
    ground.within("the terminated backends vanish", vanished).await?;
    drop(server);
    Ok(Outcome::Landed("backends vanished".to_owned()))
}

/// `pg_ctl stop -m immediate`, and a start some time later.
pub async fn crash(ground: &Ground) -> anyhow::Result<Outcome> {
    let mut server = ground.server.lock().await;
    let before = server.pid().context("the server is not running")?;
    server.crash().await?;
    ensure!(server.pid().is_none(), "the server is still there after its crash");
    tokio::time::sleep(LEASE.mul_f64(1.5 * ground.chance.chance())).await;
    server.resume().await?;
    let after = server.pid().context("the server did not start again")?;
    ensure!(before != after, "the server is the same process as before its crash");
    Ok(Outcome::Landed("the server's process is another one".to_owned()))
}

/// Every connection is taken while a node starts: it is refused.
pub async fn connections(ground: &Ground) -> anyhow::Result<Outcome> {
    let server = ground.server.lock().await;
    let mut slot = ground.take_joined().await?;
    let refused = |slot: &crate::slot::Slot| slot.proxy.counts().refusals.get("53300").copied().unwrap_or(0);
    let before = refused(&slot);
    slot.kill_only().await?;
    let mut taken = Vec::new();
    let mut is_full = false;
    while !is_full && taken.len() < CONNECTIONS_MAX {
        match PgConnection::connect(&ground.url).await {
            Ok(connection) => taken.push(connection),
            Err(_) => is_full = true,
        }
    }
    slot.start().await?;
    let what = "a node is refused for too many connections";
    let landed = ground.within(what, async || Ok(refused(&slot) > before)).await;
    tokio::time::sleep(LEASE.mul_f64(0.5)).await;
    drop(taken);
    drop(server);
    landed.map(|()| Outcome::Landed("a node was refused with 53300".to_owned()))
}

pub async fn read_only(ground: &Ground) -> anyhow::Result<Outcome> {
    let server = ground.server.lock().await;
    let refused = || async {
        let mut sum = 0;
        for slot in ground.all() {
            // A slot that a fault is at does not matter: there are others.
            let Ok(slot) = slot.try_lock() else { continue };
            sum += slot.proxy.counts().refusals.get("25006").copied().unwrap_or(0);
        }
        sum
    };
    let before = refused().await;
    flip(ground, "alter system set default_transaction_read_only = on").await?;
    let landed = async {
        ground.within("the server is read-only", async || is_read_only(ground, "on").await).await?;
        ground.within("a node is refused with 25006", async || Ok(refused().await > before)).await?;
        tokio::time::sleep(LEASE.mul_f64(0.3 + ground.chance.chance())).await;
        anyhow::Ok(())
    };
    let landed = landed.await;
    flip(ground, "alter system reset default_transaction_read_only").await?;
    ground.within("the server is writable again", async || is_read_only(ground, "off").await).await?;
    drop(server);
    landed.map(|()| Outcome::Landed("nodes were refused with 25006".to_owned()))
}

async fn flip(ground: &Ground, statement: &'static str) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(&ground.url).await?;
    sqlx::raw_sql(statement).execute(&mut connection).await?;
    sqlx::raw_sql("select pg_reload_conf()").execute(&mut connection).await?;
    Ok(())
}

async fn is_read_only(ground: &Ground, wanted: &str) -> anyhow::Result<bool> {
    let mut connection = PgConnection::connect(&ground.url).await?;
    let shown: String = sqlx::query_scalar("show transaction_read_only").fetch_one(&mut connection).await?;
    Ok(shown == wanted)
}

/// A person's open transaction holds a few runs' rows, and a lease.
pub async fn row_lock(ground: &Ground) -> anyhow::Result<Outcome> {
    let server = ground.server.lock().await;
    let mut holder = PgConnection::connect(&ground.url).await?;
    let mut transaction = holder.begin().await?;
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *transaction).await?;
    // In the order of the engine's own statements: this is no fault of deadlocks.
    let lease =
        "select node from runlog.leases where not dead and lane >= 0 order by random() limit 1 for update";
    sqlx::query(lease).execute(&mut *transaction).await?;
    let runs = "select id from runlog.runs where status in ('QUEUED', 'RUNNING') order by id desc limit 5
                for update skip locked";
    sqlx::query(runs).execute(&mut *transaction).await?;
    let blocked = "select count(*) from pg_stat_activity where $1 = any(pg_blocking_pids(pid))";
    let waits =
        async || Ok(sqlx::query_scalar::<_, i64>(blocked).bind(pid).fetch_one(&ground.pool).await? > 0);
    let landed = ground.within("somebody waits for the row lock", waits).await;
    tokio::time::sleep(LEASE.mul_f64(0.5 + 1.5 * ground.chance.chance())).await;
    transaction.rollback().await?;
    drop(server);
    landed.map(|()| Outcome::Landed("somebody waited for it".to_owned()))
}

/// A reader's transaction that stays open keeps every dead row alive.
pub async fn snapshot(ground: &Ground) -> anyhow::Result<Outcome> {
    let server = ground.server.lock().await;
    let mut reader = PgConnection::connect(&ground.url).await?;
    let mut transaction = reader.begin().await?;
    sqlx::raw_sql("set transaction isolation level repeatable read").execute(&mut *transaction).await?;
    let count = "select count(*) from runlog.events";
    let before: i64 = sqlx::query_scalar(count).fetch_one(&mut *transaction).await?;
    tokio::time::sleep(LEASE * 3).await;
    let after: i64 = sqlx::query_scalar(count).fetch_one(&mut *transaction).await?;
    let now = ground.count(count).await?;
    transaction.rollback().await?;
    drop(server);
    ensure!(before == after && now > before, "the snapshot saw {before}, then {after} of {now} events");
    Ok(Outcome::Landed("it did not see what was written meanwhile".to_owned()))
}

/// A commit takes longer than the lease: it holds up its node's heartbeat, and whoever declares the node dead.
pub async fn slow_commit(ground: &Ground) -> anyhow::Result<Outcome> {
    let server = ground.server.lock().await;
    let slot = ground.take_joined().await?;
    let time = LEASE.mul_f64(1.3 + ground.chance.chance());
    let landed = ground.slow_down(&slot, time).await;
    ground.hurry().await?;
    tokio::time::sleep(time).await;
    drop(server);
    landed.map(|()| Outcome::Landed("an append slept in the server".to_owned()))
}
