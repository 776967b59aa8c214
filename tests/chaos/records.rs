//! The database as the reckoning reads it, when everything is at rest.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use runlog::RunId;
use runlog::model::Timestamp;
use sqlx::types::Uuid;
use sqlx::{FromRow, PgPool};

/// Everything that facts are compared with. Times are in microseconds since 1970.
pub struct Records {
    pub runs: BTreeMap<RunId, Run>,
    /// When bodies got their outcome, by idempotency key.
    pub outcomes: HashMap<String, i64>,
    /// How often a run received a signal of that number.
    pub signals: HashMap<(RunId, u64), usize>,
    /// The incarnations of processes, by their names.
    pub lives: HashMap<String, Vec<Life>>,
    /// Runs whose transactions are not what their logs say.
    pub unbooked: Vec<(RunId, &'static str)>,
    pub counts: Vec<(&'static str, i64)>,
}

#[derive(FromRow)]
pub struct Run {
    id: Uuid,
    pub workflow: String,
    pub version: String,
    pub key: Option<String>,
    pub status: String,
    pub is_child: bool,
    seed: i64,
    output: Option<i64>,
    pub failure: Option<String>,
}

impl Run {
    pub fn seed(&self) -> u64 {
        self.seed.cast_unsigned()
    }

    pub fn output(&self) -> Option<u64> {
        self.output.map(i64::cast_unsigned)
    }
}

/// One incarnation of a process: from when to when it had a lease.
pub struct Life {
    pub from: i64,
    pub until: i64,
}

/// The first of each kind: under a mutant there may be several, and the verdict is not ours.
const RUNS: &str = "
    select r.id, r.workflow, r.version, r.key, r.status::text as status, r.parent is not null as is_child,
           (select (e.payload::json ->> 'input')::bigint from runlog.events e where e.run_id = r.id and e.seq = 1) as seed,
           (
               select (e.payload::json ->> 'output')::bigint from runlog.events e
               where e.run_id = r.id and e.kind = 'attempt_succeeded'
                 and e.task = case r.workflow when 'checkout' then 'ship' else r.workflow end
               order by e.seq limit 1
           ) as output,
           (
               select e.payload from runlog.events e where e.run_id = r.id and e.kind = 'run_failed'
               order by e.seq limit 1
           ) as failure
    from runlog.runs r";

const OUTCOMES: &str = "
    select concat_ws(':', run_id, task, payload::json ->> 'op') as key, time from runlog.events
    where kind in ('step_completed', 'attempt_succeeded')";

const SIGNALS: &str = "
    select run_id, (payload::json ->> 'payload')::bigint, count(*) from runlog.events
    where kind = 'signal_received' group by 1, 2";

const LIVES: &str = "
    select n.name, n.joined_at, max(l.lease_until) from runlog.nodes n join runlog.leases l on l.node = n.id
    group by n.id order by n.id";

const UNBOOKED: &str = "
    select coalesce(b.run, s.run_id)
    from (select run, op, count(*) as rows from chaos.ledger group by run, op) b
    full join (
        select run_id, payload::json ->> 'op' as op from runlog.events where kind = 'step_completed' and task = 'booker'
    ) s on s.run_id = b.run and s.op = b.op
    where b.rows is distinct from 1 or s.run_id is null";

const COUNTS: [(&str, &str); 7] = [
    ("runs", "select count(*) from runlog.runs"),
    ("events", "select count(*) from runlog.events"),
    ("steps", "select count(*) from runlog.events where kind = 'step_completed'"),
    ("claims of runs under way", "select count(*) from runlog.events where kind = 'run_claimed'"),
    ("transactions", "select count(*) from chaos.ledger"),
    ("nodes", "select count(*) from runlog.nodes"),
    (
        "nodes declared dead",
        "select count(distinct n.id) from runlog.nodes n join runlog.leases l on l.node = n.id
         where l.dead and n.left_at is null",
    ),
];

impl Records {
    pub async fn read(pool: &PgPool) -> anyhow::Result<Records> {
        let runs: Vec<Run> = sqlx::query_as(RUNS).fetch_all(pool).await?;
        let runs = runs.into_iter().map(|run| Ok((id(run.id)?, run))).collect::<anyhow::Result<_>>()?;
        let outcomes: Vec<(String, Timestamp)> = sqlx::query_as(OUTCOMES).fetch_all(pool).await?;
        let outcomes = outcomes.into_iter().map(|(key, time)| (key, time.timestamp_micros())).collect();
        let signals: Vec<(Uuid, i64, i64)> = sqlx::query_as(SIGNALS).fetch_all(pool).await?;
        let signal = |(run, number, count): (Uuid, i64, i64)| {
            Ok(((id(run)?, number.cast_unsigned()), usize::try_from(count)?))
        };
        let signals = signals.into_iter().map(signal).collect::<anyhow::Result<_>>()?;
        let mut lives: HashMap<String, Vec<Life>> = HashMap::new();
        let rows: Vec<(String, Timestamp, Timestamp)> = sqlx::query_as(LIVES).fetch_all(pool).await?;
        for (name, from, until) in rows {
            let life = Life { from: from.timestamp_micros(), until: until.timestamp_micros() };
            lives.entry(name).or_default().push(life);
        }
        let unbooked: Vec<Uuid> = sqlx::query_scalar(UNBOOKED).fetch_all(pool).await?;
        let unbooked = unbooked.into_iter().map(|run| Ok((id(run)?, "a transaction is not booked once")));
        let unbooked = unbooked.collect::<anyhow::Result<_>>()?;
        let mut counts = Vec::new();
        for (what, query) in COUNTS {
            counts.push((what, sqlx::query_scalar(query).fetch_one(pool).await?));
        }
        Ok(Records { runs, outcomes, signals, lives, unbooked, counts })
    }
}

fn id(uuid: Uuid) -> anyhow::Result<RunId> {
    RunId::from_uuid(uuid).with_context(|| format!("{uuid} is no run's id"))
}
