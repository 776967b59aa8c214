//! What faults act on: a private server, its database, and the slots of the nodes.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, ensure};
use runlog::clock::Clock;
use runlog::model::Timestamp;
use runlog::testing::postgres::{Durability, Server};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::proxy::{Mutant, Proxy};
use crate::slot::Slot;

pub const DATABASE: &str = "chaos";

/// How long a fault may take to land.
pub const LAND_MAX: Duration = Duration::from_secs(30);

/// The user's own table; a way to have one node's commits take a while between what they write and their end, once a
/// statement; and a witness who looks, at the very end of every commit, whether its node may still write.
const TABLES: &str = "
    create schema chaos;
    create table chaos.ledger (run uuid not null, op text not null, at timestamptz not null default clock_timestamp());
    create table chaos.slow (name text not null, seconds float8 not null);
    create function chaos.be_slow() returns trigger language plpgsql as $$
    begin
        if exists (select from chaos.slow s join runlog.nodes n on n.name = s.name where n.id = new.node)
            and current_setting('chaos.slept', true) is distinct from 'on'
        then
            perform set_config('chaos.slept', 'on', true), pg_sleep(seconds) from chaos.slow;
        end if;
        return null;
    end
    $$;
    create trigger chaos_slow after insert on runlog.events for each row execute function chaos.be_slow();
    create table chaos.trespass (run uuid not null, seq int not null, node int not null, what text not null);
    create function chaos.watch_fence() returns trigger language plpgsql as $$
    begin
        insert into chaos.trespass
        select new.run_id, new.seq, new.node, 'a node committed after it was declared dead'
        where exists (select from runlog.leases where node = new.node and dead)
        union all
        select new.run_id, new.seq, new.node, 'a node committed to a run that another one owns'
        from runlog.runs where id = new.run_id and owner <> new.node;
        return null;
    end
    $$;
    create constraint trigger chaos_fence after insert on runlog.events deferrable initially deferred
        for each row when (new.node is not null) execute function chaos.watch_fence();";

pub struct Ground {
    /// Held by whoever does something to the server as a whole.
    pub server: Mutex<Server>,
    /// Straight to the server, past every proxy.
    pub pool: PgPool,
    pub url: String,
    pub folder: PathBuf,
    pub chance: Clock,
    slots: Vec<Mutex<Slot>>,
}

impl Ground {
    /// Starts a server that keeps its promises, and as many nodes on it as asked for.
    pub async fn open(
        folder: &Path,
        seed: u64,
        nodes: usize,
        mutant: Option<Mutant>,
    ) -> anyhow::Result<Ground> {
        let server = Server::at(folder.join("database"), Durability::Durable).await?;
        let admin = PgPoolOptions::new().max_connections(1).connect(&server.url("postgres")).await?;
        sqlx::raw_sql("create database chaos").execute(&admin).await?;
        admin.close().await;
        let url = server.url(DATABASE);
        let pool = PgPoolOptions::new().max_connections(6).acquire_timeout(Duration::from_secs(5));
        let pool = pool.connect(&url).await?;
        // A runtime that serves nothing brings the schema, so that the tables of this test stand before any node.
        runlog::Runtime::builder(pool.clone()).start().await?.shutdown(Duration::ZERO).await?;
        sqlx::raw_sql(TABLES).execute(&pool).await?;
        let options = PgConnectOptions::from_str(&url)?;
        let socket = options.get_socket().context("the server has no socket")?;
        let socket = socket.join(format!(".s.PGSQL.{}", options.get_port()));
        let mut slots = Vec::new();
        for number in 0..nodes {
            let proxy = Proxy::open(socket.clone(), mutant).await?;
            let pause_ms = 90;
            slots.push(Mutex::new(Slot::new(number, proxy, folder, seed ^ number as u64, pause_ms)));
        }
        let chance = Clock::seeded(Timestamp::UNIX_EPOCH, seed);
        let folder = folder.to_path_buf();
        let ground = Ground { server: Mutex::new(server), pool, url, folder, chance, slots };
        for slot in &ground.slots {
            slot.lock().await.start().await?;
        }
        for slot in &ground.slots {
            ground.joined(&*slot.lock().await).await?;
        }
        Ok(ground)
    }

    /// Waits for a slot that no fault is at, any of them.
    pub async fn take(&self) -> MutexGuard<'_, Slot> {
        loop {
            let start = (self.chance.chance() * self.slots.len() as f64) as usize;
            let (before, after) = self.slots.split_at(start.min(self.slots.len()));
            if let Some(slot) = after.iter().chain(before).find_map(|slot| slot.try_lock().ok()) {
                return slot;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits for a slot whose node has joined.
    pub async fn take_joined(&self) -> anyhow::Result<MutexGuard<'_, Slot>> {
        let mut slot = self.take().await;
        slot.check_alive()?;
        self.joined(&slot).await?;
        Ok(slot)
    }

    /// Every slot, one after another, each as soon as no fault is at it.
    pub fn all(&self) -> impl Iterator<Item = &Mutex<Slot>> {
        self.slots.iter()
    }

    async fn joined(&self, slot: &Slot) -> anyhow::Result<()> {
        self.within(&format!("node {} joins", slot.name()), async || Ok(self.incarnations(slot).await? > 0))
            .await
    }

    /// How often the process in the slot joined: more than once when it was fenced.
    pub async fn incarnations(&self, slot: &Slot) -> anyhow::Result<i64> {
        let count = "select count(*) from runlog.nodes where name = $1";
        self.insist(async || sqlx::query_scalar(count).bind(slot.name()).fetch_one(&self.pool).await).await
    }

    /// Has the next commits of the slot's node take so long, and waits until one is under way. [`Ground::hurry`] ends it.
    pub async fn slow_down(&self, slot: &Slot, time: Duration) -> anyhow::Result<()> {
        let slow = "insert into chaos.slow (name, seconds) values ($1, $2)";
        let asked =
            async || sqlx::query(slow).bind(slot.name()).bind(time.as_secs_f64()).execute(&self.pool).await;
        self.insist(asked).await?;
        let asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
        self.within("a commit is slow", async || Ok(self.count(asleep).await? > 0)).await
    }

    pub async fn hurry(&self) -> anyhow::Result<()> {
        self.insist(async || sqlx::query("delete from chaos.slow").execute(&self.pool).await).await?;
        Ok(())
    }

    /// Counts by a query, however often the server has to be asked.
    pub async fn count(&self, query: &'static str) -> anyhow::Result<i64> {
        self.insist(async || sqlx::query_scalar(query).fetch_one(&self.pool).await).await
    }

    /// Asks until there is an answer: the server may be away at this moment, for that is another fault's business.
    pub async fn insist<T>(&self, ask: impl AsyncFn() -> Result<T, sqlx::Error>) -> anyhow::Result<T> {
        let begun = Instant::now();
        loop {
            match ask().await {
                Ok(answer) => return Ok(answer),
                Err(error) => ensure!(begun.elapsed() < LAND_MAX, "no answer: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until it is true; what cannot be asked is not true yet.
    pub async fn within(
        &self,
        what: &str,
        is_true: impl AsyncFn() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let asked = is_true().await;
            if matches!(asked, Ok(true)) {
                return Ok(());
            }
            ensure!(begun.elapsed() < LAND_MAX, "not within {LAND_MAX:?}: {what} ({asked:?})");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
