//! *raw*: what one writes without a library, an `insert` and its commit for every event, over 32 connections.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::limit::Journal;
use super::meter::Meter;

const CONNECTIONS: usize = 32;

/// The table and its clients.
pub struct Raw {
    pool: PgPool,
    journal: Journal,
}

impl Raw {
    pub async fn open(url: &str, journal: Journal) -> anyhow::Result<Raw> {
        let mut connection = PgConnection::connect(url).await?;
        let table = "create schema raw; create table raw.events (like runlog.events including all)";
        sqlx::raw_sql(table).execute(&mut connection).await?;
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS as u32).connect(url).await?;
        Ok(Raw { pool, journal })
    }

    /// Keeps `in_flight` runs of `events` events going, but no more than there are connections, until the meter stops.
    pub fn keep_in_flight(
        &self,
        events: usize,
        in_flight: usize,
        pause: Duration,
        meter: &Arc<Meter>,
    ) -> JoinSet<anyhow::Result<()>> {
        let mut clients = JoinSet::new();
        for _ in 0..in_flight.min(CONNECTIONS) {
            let (pool, journal, meter) = (self.pool.clone(), self.journal.clone(), Arc::clone(meter));
            clients.spawn(async move {
                let mut connection = pool.acquire().await?;
                while !meter.is_stopped() {
                    let (run, begun) = (journal.new_run_id().uuid(), Instant::now());
                    for seq in 1..=events {
                        let insert = "insert into raw.events
                            (run_id, seq, kind, schema_version, time, node, task, attempt, payload)
                            values ($1, $2, $3, 1, clock_timestamp(), 1, $4, 1, $5)";
                        let insert = sqlx::query(insert).bind(run).bind(seq as i32).bind("step_completed");
                        let payload = r#"{"op":"add#0","output":12345,"us":0}"#;
                        insert.bind("function").bind(payload).execute(&mut *connection).await?;
                    }
                    meter.finished(begun);
                    if !pause.is_zero() {
                        tokio::time::sleep(pause).await;
                    }
                }
                Ok(())
            });
        }
        clients
    }
}
