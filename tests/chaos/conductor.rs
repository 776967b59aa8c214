//! The process that starts the nodes, inflicts the faults, waits for rest, and judges.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, ensure};
use runlog::RunId;
use tokio::time::Instant;

use crate::faults::{self, FAULTS, Fault, Outcome};
use crate::ground::Ground;
use crate::node::LEASE;
use crate::oracle::{self, Fact};
use crate::proxy::Mutant;
use crate::tally::Tally;
use crate::workload::LONGEST;
use crate::{reckoning, verdict};

/// What is to be done.
#[derive(Clone)]
pub struct Plan {
    pub seed: u64,
    pub nodes: usize,
    /// How long faults go on, at least.
    pub time: Duration,
    /// How often faults of a stream of their own land, by name.
    pub targets: Vec<(&'static str, usize)>,
    /// What goes round besides, at least once each.
    pub round: Vec<Fault>,
    pub mutant: Option<Mutant>,
    /// Whether a fault that this machine cannot inflict is missing.
    pub complete: bool,
}

/// Beyond three leases and the longest run: what this machine, with more to do than this, may take.
const SLACK: Duration = Duration::from_secs(10);

/// Longer than this past its time a plan has failed to land its faults.
const LATE_MAX: Duration = Duration::from_secs(240);

/// What a run of the chaos came to.
pub struct Chaos {
    pub tally: Tally,
    /// What is wrong; empty when nothing is.
    pub violations: Vec<verdict::Violation>,
}

/// Inflicts the plan, and judges. What it writes down is left in `folder`.
pub async fn conduct(plan: &Plan, folder: &Path) -> anyhow::Result<Chaos> {
    let ground = Ground::open(folder, plan.seed, plan.nodes, plan.mutant).await?;
    let tally = Mutex::new(Tally::default());
    inflict(plan, &ground, &tally).await?;
    let mut tally = tally.into_inner().unwrap_or_default();
    let late = settle(&ground, &mut tally).await?;
    for slot in ground.all() {
        let mut slot = slot.lock().await;
        slot.leave().await?;
        tally.lost_acks += slot.proxy.counts().cut_after;
    }
    if let Some(mutant) = plan.mutant {
        check_in_force(mutant, &ground).await?;
    }
    let mut violations = verdict::of_log(&ground.pool).await?;
    violations.extend(reckoning::of_oracle(&ground.pool, folder, &mut tally).await?);
    violations.extend(late);
    verdict::print_logs(&ground.pool, &violations).await?;
    let Ground { server, pool, .. } = ground;
    pool.close().await;
    server.into_inner().stop().await?;
    Ok(Chaos { tally, violations })
}

/// Streams side by side: one for each target, and one that goes round.
async fn inflict(plan: &Plan, ground: &Ground, tally: &Mutex<Tally>) -> anyhow::Result<()> {
    let begun = Instant::now();
    let note = |fault: Fault, outcome| {
        let mut tally = tally.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        tally.note(fault.name, outcome);
    };
    let streams = plan.targets.iter().map(|(name, target)| async move {
        let fault = faults::named(name).with_context(|| format!("there is no fault {name:?}"))?;
        for landed in 0..*target {
            let due = plan.time.mul_f64(landed as f64 / *target as f64);
            tokio::time::sleep_until(begun + due).await;
            // One more node may be at a fault than there are: wait for one.
            note(fault, one(fault, ground, plan.mutant).await?);
        }
        anyhow::Ok(())
    });
    let round = async {
        let mut order = plan.round.clone();
        let mut is_first = true;
        while !order.is_empty() && (is_first || begun.elapsed() < plan.time) {
            shuffle(&mut order, ground);
            for fault in &order {
                if !is_first && begun.elapsed() >= plan.time {
                    break;
                }
                note(*fault, one(*fault, ground, plan.mutant).await?);
            }
            is_first = false;
        }
        anyhow::Ok(())
    };
    let all = futures_util::future::try_join(futures_util::future::try_join_all(streams), round);
    let limit = plan.time + LATE_MAX;
    tokio::time::timeout(limit, all)
        .await
        .with_context(|| format!("the faults did not land in {limit:?}"))??;
    Ok(())
}

async fn one(fault: Fault, ground: &Ground, mutant: Option<Mutant>) -> anyhow::Result<Outcome> {
    let begun = Instant::now();
    let outcome = match (fault.inflict)(ground).await {
        // What a guard waits for is the very thing that a mutant does not do.
        Err(error) if mutant.is_some() => Outcome::Skipped(format!("{error:#}")),
        outcome => outcome.with_context(|| format!("the fault {:?} did not land", fault.name))?,
    };
    if fault.name != faults::KILL.name {
        println!("{:>8.1} s  {}: {outcome:?}", begun.elapsed().as_secs_f64(), fault.name);
    }
    Ok(outcome)
}

fn shuffle(order: &mut [Fault], ground: &Ground) {
    for at in (1..order.len()).rev() {
        order.swap(at, (ground.chance.chance() * (at + 1) as f64) as usize);
    }
}

/// Waits until every run has ended; a violation when that takes too long.
async fn settle(ground: &Ground, tally: &mut Tally) -> anyhow::Result<Vec<verdict::Violation>> {
    let since = Instant::now();
    for slot in ground.all() {
        let mut slot = slot.lock().await;
        slot.check_alive()?;
        slot.order("quiet").await?;
    }
    let limit = LEASE * 3 + LONGEST + SLACK;
    let live = "select count(*) from runlog.runs where status in ('QUEUED', 'RUNNING')";
    let mut signalled = BTreeSet::new();
    let mut at_rest = 0;
    // Twice at rest: a client may have been about to start something.
    while at_rest < 2 && since.elapsed() < limit {
        at_rest = if ground.count(live).await? == 0 { at_rest + 1 } else { 0 };
        if at_rest == 0 {
            signal_orphans(ground, &mut signalled).await?;
            tally.rest = since.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    if at_rest > 0 {
        return Ok(Vec::new());
    }
    let left = "select id::text from runlog.runs where status in ('QUEUED', 'RUNNING') order by id limit 20";
    let left: Vec<String> = sqlx::query_scalar(left).fetch_all(&ground.pool).await?;
    let count = ground.count(live).await?;
    let what = format!("{count} runs have not ended {limit:?} after the last fault");
    Ok(vec![verdict::Violation { what, runs: left }])
}

/// Has signals sent to runs that wait for one whose client died before it was told that it was sent. Runs that were
/// signalled must not need it.
async fn signal_orphans(ground: &Ground, signalled: &mut BTreeSet<RunId>) -> anyhow::Result<()> {
    let waiting = "select id from runlog.runs where workflow = 'waiter' and status in ('QUEUED', 'RUNNING')
        and created_at < clock_timestamp() - interval '1 s'";
    let waiting = ground.insist(async || sqlx::query_scalar(waiting).fetch_all(&ground.pool).await).await?;
    let waiting: Vec<sqlx::types::Uuid> = waiting;
    let waiting: BTreeSet<RunId> = waiting.into_iter().filter_map(RunId::from_uuid).collect();
    if waiting.is_subset(signalled) {
        return Ok(());
    }
    let facts = oracle::read(&ground.folder)?;
    let told = facts.iter().flat_map(|testimony| &testimony.lines).filter_map(|line| match &line.fact {
        Fact::SignalTold { run, .. } => Some(*run),
        _ => None,
    });
    signalled.extend(told);
    for run in waiting.difference(&signalled.clone()) {
        ground.take().await.order(&format!("signal {run}")).await?;
        signalled.insert(*run);
    }
    Ok(())
}

/// A mutant whose statements never went by was not tried.
async fn check_in_force(mutant: Mutant, ground: &Ground) -> anyhow::Result<()> {
    let mut made: BTreeMap<usize, u64> = BTreeMap::new();
    for slot in ground.all() {
        for (edit, count) in slot.lock().await.proxy.counts().edits {
            *made.entry(edit).or_default() += count;
        }
    }
    let name = mutant.name;
    ensure!(made.len() == mutant.edits(), "mutant {name} is not in force: only the edits {made:?} were made");
    Ok(())
}

/// The plan that decides whether a change lands.
pub fn plan(seed: u64, time: Duration, kills: usize) -> Plan {
    let targets = vec![
        (faults::KILL.name, kills),
        ("pause beyond the lease", kills / 10),
        ("server crash", kills / 40),
    ];
    Plan { seed, nodes: 6, time, targets, round: FAULTS.to_vec(), mutant: None, complete: false }
}

/// The plan of a night.
pub fn long_plan(seed: u64) -> Plan {
    let time = Duration::from_secs(1_500);
    let targets = vec![(faults::KILL.name, 1_000), ("pause beyond the lease", 300), ("server crash", 100)];
    Plan { time, targets, ..plan(seed, time, 0) }
}
