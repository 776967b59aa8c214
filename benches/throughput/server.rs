//! The private server, and what it counts.

use std::collections::BTreeSet;
use std::fs;

use anyhow::Context;
use runlog::testing::postgres::{Durability, Server};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use super::Settings;

/// The server and a pool on it.
pub struct Bench {
    server: Server,
    /// For the engine, and for questions.
    pub pool: PgPool,
}

/// Running totals.
pub struct Counters {
    /// Transactions that wrote something: those have an id, and ids are counted without delay.
    pub transactions: i64,
    /// Bytes of WAL.
    pub wal_bytes: i64,
    /// Milliseconds of this process' CPU.
    pub client_ms: f64,
    /// Milliseconds of the CPU of all of the server's processes.
    pub server_ms: f64,
}

/// Milliseconds of a tick of `/proc/*/stat`: 1/100 s wherever Linux runs.
const TICK_MS: f64 = 10.0;

impl Bench {
    pub async fn start() -> anyhow::Result<Bench> {
        let server = Server::temporary(Durability::Durable).await?;
        let pool = PgPoolOptions::new().max_connections(8).connect(&server.url("postgres")).await?;
        Ok(Bench { server, pool })
    }

    /// The URL of its database.
    pub fn url(&self) -> String {
        self.server.url("postgres")
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.pool.close().await;
        Ok(self.server.stop().await?)
    }

    /// Says what is measured, and where.
    pub async fn describe(&self, settings: &Settings) -> anyhow::Result<String> {
        let setting = "select string_agg(name || '=' || setting, ', ' order by name) from pg_settings
            where name in ('server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers')";
        let server: String = sqlx::query_scalar(setting).fetch_one(&self.pool).await?;
        let cores = std::thread::available_parallelism()?;
        let cpu = fs::read_to_string("/proc/cpuinfo")?;
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let model = model.map_or("unknown", |(_, model)| model);
        Ok(format!(
            "{cores} cores ({model}), shared with Postgres: {server}\nmedians of {} rounds, windows of {:?}",
            settings.rounds, settings.window
        ))
    }

    /// Carries out a statement.
    pub async fn execute(&self, statement: &'static str) -> anyhow::Result<()> {
        sqlx::query(statement).execute(&self.pool).await?;
        Ok(())
    }

    /// Reads all totals.
    pub async fn counters(&self) -> anyhow::Result<Counters> {
        let totals = "select pg_snapshot_xmax(pg_current_snapshot())::text::int8,
                             (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8";
        let (transactions, wal_bytes): (i64, i64) = sqlx::query_as(totals).fetch_one(&self.pool).await?;
        let client_ms = cpu_ms(std::process::id()).context("no /proc/self/stat")?;
        Ok(Counters { transactions, wal_bytes, client_ms, server_ms: self.server_ms() })
    }

    fn server_ms(&self) -> f64 {
        let Some(main) = self.server.pid() else { return 0.0 };
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids: BTreeSet<u32> =
            entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        let children = pids.into_iter().filter(|pid| parent(*pid) == Some(main));
        let ended = fields(main).and_then(|fields| Some(number(&fields, 13)? + number(&fields, 14)?));
        children.chain([main]).filter_map(cpu_ms).sum::<f64>() + ended.unwrap_or(0.0) * TICK_MS
    }
}

/// The fields of `/proc/<pid>/stat` after the name, from `state` on (proc(5) counts it as the third).
fn fields(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(") ")?;
    Some(after_name.split(' ').map(str::to_owned).collect())
}

fn number(fields: &[String], at: usize) -> Option<f64> {
    fields.get(at)?.parse().ok()
}

fn parent(pid: u32) -> Option<u32> {
    fields(pid)?.get(1)?.parse().ok()
}

/// Milliseconds of CPU that a process used so far.
pub fn cpu_ms(pid: u32) -> Option<f64> {
    let fields = fields(pid)?;
    Some((number(&fields, 11)? + number(&fields, 12)?) * TICK_MS)
}
