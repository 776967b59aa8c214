//! A sound database, played once and then copied.

use runlog::store::postgres::PostgresStore;
use runlog::testing::postgres::Databases;
use runlog::{RetentionPolicy, Runtime};
use sqlx::postgres::PgPoolOptions;

use super::workload::{play, until_parked};
use super::*;
use crate::support::{echo, json};

/// What corruptions are made of.
const WORDS: &str = r#"
    -- Adds an event by the node that wrote last.
    create function seed(run uuid, seq int, kind text, task text, attempt int, payload text) returns void
    language sql as $$
        insert into runlog.events (run_id, seq, kind, schema_version, time, node, task, attempt, payload)
        select $1, $2, $3, 1, clock_timestamp(), max(node), $4, $5, $6 from runlog.events e where e.run_id = $1
    $$;
    -- Repeats an event at another seq.
    create function again(run uuid, seq int, to_seq int) returns void language sql as $$
        insert into runlog.events (run_id, seq, kind, schema_version, time, node, task, attempt, payload)
        select run_id, $3, kind, schema_version, time, node, task, attempt, payload
        from runlog.events e where e.run_id = $1 and e.seq = $2
    $$;
    -- Moves the events from `seq` one up.
    create function room(run uuid, seq int) returns void language sql as $$
        update runlog.events e set seq = -e.seq where e.run_id = $1 and e.seq >= $2;
        update runlog.events e set seq = 1 - e.seq where e.run_id = $1 and e.seq < 0
    $$;
    -- Sets a field of an event's payload, or removes it.
    create function set(run uuid, seq int, path text[], value jsonb) returns void language sql as $$
        update runlog.events e
        set payload = case when $4 is null then e.payload::jsonb #- $3 else jsonb_set(e.payload::jsonb, $3, $4) end
        where e.run_id = $1 and e.seq = $2
    $$;
    -- Adds a node that lives.
    create function living(slots int) returns int language sql as $$
        insert into runlog.nodes (name, pid, release, slots) values ('living', 1, '0', $1);
        insert into runlog.leases (node, lane, lease_until)
        select max(id), lane, now() + interval '1 h' from runlog.nodes, generate_series(-1, 0) lane group by lane;
        select max(id) from runlog.nodes
    $$;
"#;

/// Copies a database with a bit of everything, whose live runs are parked and whose nodes are gone.
pub(crate) async fn sound() -> Postgres {
    let databases = Databases::shared().await.expect("a server for tests");
    let database = databases.fresh_with("sound", async |url: String| prepare(&url).await).await;
    let url = database.expect("a database").url;
    let pool = PgPoolOptions::new().max_connections(2).connect(&url).await.expect("a pool");
    Postgres { pool, url }
}

/// Plays one more run, and archives it.
async fn archive_one(runtime: &Runtime) -> anyhow::Result<()> {
    let run = runtime.run(&echo(), json("1")).namespace("old").key("archived").start().await?;
    run.wait().await?;
    runtime.set_retention(RetentionPolicy::default().namespace("old").archive_after(Duration::ZERO)).await?;
    anyhow::ensure!(runtime.prune_now().await?.archived == 1);
    Ok(())
}

async fn prepare(url: &str) -> anyhow::Result<()> {
    let pool = PgPool::connect(url).await?;
    PostgresStore::open(pool.clone(), 1, true).await?;
    let runtime = play(&pool).await;
    archive_one(&runtime).await?;
    until_parked(&pool).await;
    runtime.shutdown(Duration::ZERO).await?;
    sqlx::raw_sql(WORDS).execute(&pool).await?;
    Ok(())
}
