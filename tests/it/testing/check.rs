//! Checks: code that fits its histories fits them all, and every edit is found.

use std::collections::BTreeMap;
use std::sync::Arc;

use runlog::model::divergence::Difference;
use runlog::model::{Recorded, RunId};
use runlog::testing::Kit;
use runlog::workflow::check::Finding;
use runlog::{Check, Cx, Workflow};

use super::program::{Act, Draw, child, draw, signals, workflow};
use crate::workflow::{Infallible, days, secs};

type History = (RunId, Vec<Recorded>);

/// Runs the programs of `seeds` in one world, with signals and crashes, and returns their histories by seed.
async fn record(seeds: std::ops::Range<u64>, with_failures: bool) -> anyhow::Result<BTreeMap<u64, History>> {
    let w = workflow(move |seed| draw(seed, with_failures));
    let children = (1..100).map(|n| child(&format!("c{n}")));
    let builder = children.fold(Kit::builder().workflow(w.clone()), |kit, child| kit.workflow(child));
    let kit = builder.start().await?;
    let mut runs = BTreeMap::new();
    for seed in seeds {
        let run = kit.run(&w, &seed).await?;
        let mut chance = Draw(seed);
        for name in signals(&draw(seed, with_failures)) {
            if chance.below(2) == 0 {
                run.signal(&name, &chance.below(9)).await?;
            }
        }
        runs.insert(seed, run);
    }
    for seconds in [1, 2, 9, 20, 40] {
        kit.advance(secs(seconds)).await;
        kit.crash();
        kit.recover().await?;
    }
    // A run that is blocked, or waits for ever, would be waited for in vain.
    kit.advance(days(1)).await;
    for (seed, run) in &runs {
        let view = run.get().await?;
        if view.status != runlog::Status::Succeeded {
            let (program, log) = (draw(*seed, with_failures), run.timeline().await?);
            anyhow::bail!(
                "seed {seed} is {}, {:?}, {:?}: {program:#?}\n{log}",
                view.status,
                view.waiting,
                view.end
            );
        }
    }
    let histories: BTreeMap<RunId, Vec<Recorded>> = kit.histories().await?.into_iter().collect();
    let of = |run: RunId| (run, histories.get(&run).cloned().unwrap_or_default());
    let recorded = runs.into_iter().map(|(seed, run)| (seed, of(run.id()))).collect();
    kit.crash();
    Ok(recorded)
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_unchanged_replays_give_no_false_alarm() -> anyhow::Result<()> {
    let check = Check::new().workflow(workflow(|seed| draw(seed, true)));
    let (mut checked, mut operations) = (0, 0);
    let mut kinds = std::collections::BTreeSet::new();
    for from in (0..).step_by(50) {
        if checked >= 10_000 {
            break;
        }
        for (seed, (run, log)) in record(from..from + 50, true).await? {
            kinds.extend(log.iter().map(|recorded| recorded.event.kind()));
            // A run that dies after any of its events leaves that much of its log.
            let lives = (1..=log.len()).map(|events| (run, log[..events].to_vec()));
            let report = check.histories(lives).await?;
            assert!(report.is_ok(), "seed {seed}: {:#?}\n{report}", draw(seed, true));
            checked += report.runs().len();
            operations += report.runs().iter().map(compared).sum::<usize>();
        }
    }
    assert!(operations > 50_000, "{operations} operations");
    for kind in [
        "step_started",
        "step_completed",
        "step_failed",
        "attempt_failed",
        "timer_started",
        "timer_fired",
        "signal_received",
        "signal_awaited",
        "signal_timed_out",
        "wait_abandoned",
        "child_started",
        "child_finished",
        "race_won",
        "time_read",
        "patch_marked",
        "run_claimed",
    ] {
        assert!(kinds.contains(kind), "no history has a {kind}");
    }
    Ok(())
}

fn compared(run: &runlog::workflow::check::CheckedRun) -> usize {
    match &run.finding {
        Finding::Fits { operations } => *operations,
        _ => 0,
    }
}

/// What a programmer may do to a program.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Edit {
    Insert(Kind),
    Remove,
    Rename,
    Reorder,
    ChangeKind,
    ChangeInput,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Step,
    Sleep,
    Signal,
    Child,
    Now,
}

const EDITS: [Edit; 10] = [
    Edit::Insert(Kind::Step),
    Edit::Insert(Kind::Sleep),
    Edit::Insert(Kind::Signal),
    Edit::Insert(Kind::Child),
    Edit::Insert(Kind::Now),
    Edit::Remove,
    Edit::Rename,
    Edit::Reorder,
    Edit::ChangeKind,
    Edit::ChangeInput,
];

fn fresh(kind: Kind) -> Act {
    let name = "fresh".to_owned();
    match kind {
        Kind::Step => Act::Step { name, input: 1, takes: 0, fails: 0 },
        Kind::Sleep => Act::Sleep(5),
        Kind::Signal => Act::Signal(name),
        Kind::Child => Act::Child { name, input: 1 },
        Kind::Now => Act::Now,
    }
}

/// Returns an act's kind and name; `None` for what consists of several operations, or of none.
fn identity(act: &Act) -> Option<(Kind, &str)> {
    match act {
        Act::Step { name, .. } | Act::Once(name) => Some((Kind::Step, name)),
        Act::Sleep(_) => Some((Kind::Sleep, "sleep")),
        Act::Signal(name) => Some((Kind::Signal, name)),
        Act::Child { name, .. } => Some((Kind::Child, name)),
        Act::Now => Some((Kind::Now, "now")),
        Act::Patch(_) | Act::Spawn(_) | Act::Naps(..) | Act::Join(..) | Act::Race(..) | Act::Fail => None,
    }
}

impl Edit {
    /// Makes the edit at a place; `None` where there is nothing to edit in this way.
    fn make(self, program: &[Act], place: usize) -> Option<Vec<Act>> {
        let mut edited = program.to_vec();
        if let Edit::Insert(kind) = self {
            edited.insert(place, fresh(kind));
            return Some(edited);
        }
        let (kind, _) = identity(program.get(place)?)?;
        match self {
            Edit::Insert(_) => {}
            Edit::Remove => drop(edited.remove(place)),
            Edit::Rename => match &mut edited[place] {
                Act::Step { name, .. } | Act::Once(name) | Act::Signal(name) | Act::Child { name, .. } => {
                    "renamed".clone_into(name);
                }
                _ => return None,
            },
            Edit::Reorder => {
                let (first, second) = (identity(&program[place])?, identity(program.get(place + 1)?)?);
                if first == second {
                    return None;
                }
                edited.swap(place, place + 1);
            }
            Edit::ChangeKind => {
                let other = match kind {
                    Kind::Step => Kind::Sleep,
                    Kind::Sleep => Kind::Signal,
                    Kind::Signal => Kind::Child,
                    Kind::Child => Kind::Now,
                    Kind::Now => Kind::Step,
                };
                edited[place] = fresh(other);
            }
            Edit::ChangeInput => match &mut edited[place] {
                Act::Step { input, .. } | Act::Child { input, .. } => *input += 1_000,
                _ => return None,
            },
        }
        Some(edited)
    }

    fn difference(self) -> Difference {
        match self {
            Edit::Insert(_) => Difference::Inserted,
            Edit::Remove => Difference::Removed,
            Edit::Rename => Difference::Renamed,
            Edit::Reorder => Difference::Reordered,
            Edit::ChangeKind => Difference::KindChanged,
            Edit::ChangeInput => Difference::InputChanged,
        }
    }
}

/// What a check says of an edited program against a history: the differences, and the report.
async fn find(edited: Vec<Act>, history: History) -> anyhow::Result<(Vec<Difference>, String)> {
    let code = Arc::new(edited);
    let check = Check::new().workflow(workflow(move |_| code.to_vec()));
    let report = check.histories([history]).await?;
    assert_eq!(report.is_ok(), report.divergences().next().is_none());
    let differences = report.divergences().flat_map(|(_, divergence)| divergence.diff.differences());
    let found = differences.map(|(difference, _)| difference).collect();
    Ok((found, report.to_string()))
}

#[tokio::test(start_paused = true)]
async fn every_edit_at_every_place_of_random_programs_is_found_and_named() -> anyhow::Result<()> {
    let mut made: BTreeMap<String, u32> = BTreeMap::new();
    let (mut beside, mut misnamed) = (0, 0);
    for (seed, history) in record(0..120, false).await? {
        let program = draw(seed, false);
        let is_sequential = program.iter().all(|act| identity(act).is_some() || matches!(act, Act::Patch(_)));
        for place in 0..=program.len() {
            for edit in EDITS {
                let Some(edited) = edit.make(&program, place) else { continue };
                *made.entry(format!("{edit:?}")).or_default() += 1;
                let (found, report) = find(edited, history.clone()).await?;
                let told = || format!("seed {seed}, {edit:?} at {place}: {report}\nprogram {program:#?}");
                assert!(!found.is_empty(), "not found: {}", told());
                if is_sequential {
                    assert_eq!(found, [edit.difference()], "{}", told());
                }
                // Where branches run side by side, what has no name of its own can be taken for another.
                beside += u32::from(!is_sequential);
                misnamed += u32::from(!found.contains(&edit.difference()));
            }
        }
    }
    assert!(
        EDITS.iter().all(|edit| made.get(&format!("{edit:?}")).is_some_and(|made| *made >= 100)),
        "{made:?}"
    );
    assert!(misnamed * 20 < beside, "{misnamed} of {beside} edits beside concurrent branches are misnamed");
    Ok(())
}

/// Two steps and a night.
fn original() -> Workflow<(), u32> {
    Workflow::function("w", |cx: Cx, ()| async move {
        let a = cx.step("a", || async { Ok::<_, Infallible>(1) }).input("x").await?;
        let b = cx.step("b", || async { Ok::<_, Infallible>(2) }).await?;
        cx.sleep(days(1)).await?;
        anyhow::Ok(a + b)
    })
}

async fn history_of_original(after: u64) -> anyhow::Result<Vec<History>> {
    let kit = Kit::builder().workflow(original()).start().await?;
    kit.run(&original(), &()).await?;
    kit.advance(secs(after)).await;
    assert!(kit.check().await?.is_ok());
    kit.histories().await.map_err(Into::into)
}

#[tokio::test(start_paused = true)]
async fn a_diff_shows_both_sides_with_source_lines() -> anyhow::Result<()> {
    let line = line!();
    let changed: Workflow<(), u32> = Workflow::function("w", |cx: Cx, ()| async move {
        let a = cx.step("a", || async { Ok::<_, Infallible>(1) }).input("x").await?;
        let _now = cx.now();
        let b = cx.step("B", || async { Ok::<_, Infallible>(2) }).await?;
        cx.sleep(days(1)).await?;
        anyhow::Ok(a + b)
    });
    let history = history_of_original(10).await?;
    let run = history[0].0;
    let report = Check::new().workflow(changed).histories(history).await?;
    assert!(!report.is_ok());
    let at = |after: u32| format!("tests/it/testing/check.rs:{}", line + after);
    assert_eq!(
        report.to_string(),
        format!(
            "run {run} of w version 1, task `w` (blocks the run): the code asks for a now `now` ({}) that the log does \
             not have; and 1 more difference\n\
             \x20 recorded      | code\n\
             \x20 step `a`      | step `a`  {}\n\
             +               | now `now`  {}  [inserted]\n\
             ~ step `b`      | step `B`  {}  [renamed]\n\
             \x20 sleep `sleep` | sleep `sleep`  {}\n\n\
             1 checked: 0 fit, 1 diverge",
            at(3),
            at(2),
            at(3),
            at(4),
            at(5),
        )
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn code_that_hangs_panics_or_is_not_at_hand_is_told_of() -> anyhow::Result<()> {
    let hangs: Workflow<(), u32> = Workflow::function("w", |cx: Cx, ()| async move {
        let a = cx.step("a", || async { Ok::<_, Infallible>(1) }).input("x").await?;
        std::future::pending::<()>().await;
        anyhow::Ok(a)
    });
    let panics: Workflow<(), u32> = Workflow::function("w", |cx: Cx, ()| async move {
        let a: u32 = cx.step("a", || async { Ok::<_, Infallible>(1) }).input("x").await?;
        assert!(a == 0, "not today");
        anyhow::Ok(a)
    });
    let waits: Workflow<(), u32> = Workflow::function("w", |cx: Cx, ()| async move {
        let a: u32 = cx.step("a", || async { Ok::<_, Infallible>(1) }).input("x").await?;
        let (_keep, never) = tokio::sync::oneshot::channel::<()>();
        never.await?;
        anyhow::Ok(a)
    });
    let history = history_of_original(10).await?;
    for (code, elsewhere) in [(hangs, true), (panics, false), (waits, true)] {
        let report = Check::new().workflow(code).histories(history.clone()).await?;
        let (_, divergence) = report.divergences().next().expect("a divergence");
        let headline = divergence.diff.headline();
        assert!(headline.starts_with("the log has a step `b` that the code does not ask for"), "{headline}");
        assert_eq!(divergence.waits_elsewhere, elsewhere, "{report}");
    }
    let other = Workflow::function("other", |_: Cx, ()| async { anyhow::Ok(1_u32) });
    let report = Check::new().workflow(other).histories(history).await?;
    assert!(!report.is_ok(), "nothing was compared");
    assert_eq!(report.to_string(), "1 checked: 0 fit, 0 diverge, 1 without code at hand");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_patch_makes_a_change_fit() -> anyhow::Result<()> {
    let changed = |patched: bool| -> Workflow<(), u32> {
        Workflow::function("w", move |cx: Cx, ()| async move {
            let a = cx.step("a", || async { Ok::<_, Infallible>(1) }).input("x").await?;
            let new = match !patched || cx.patched("new") {
                true => cx.step("new", || async { Ok::<_, Infallible>(5) }).await?,
                false => 0,
            };
            let b = cx.step("b", || async { Ok::<_, Infallible>(2) }).await?;
            cx.sleep(days(1)).await?;
            anyhow::Ok(a + b + new)
        })
    };
    for seconds in [10, 100_000] {
        let history = history_of_original(seconds).await?;
        assert!(!Check::new().workflow(changed(false)).histories(history.clone()).await?.is_ok());
        let report = Check::new().workflow(changed(true)).histories(history).await?;
        assert!(report.is_ok(), "{report}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn tasks_are_checked_with_what_they_were_given_and_plans_compared() -> anyhow::Result<()> {
    let dag = |step: &'static str, named: &'static str, third: bool| {
        let w = Workflow::dag::<u32>("w");
        let first = w.task("first", |cx: Cx, n: u32| async move {
            cx.step("one", || async move { Ok::<_, Infallible>(n + 1) }).await
        });
        let second = w.task_after(named, &first, move |cx: Cx, _, m: u32| async move {
            let name = format!("{step} {m}");
            cx.step(&name, || async move { Ok::<_, Infallible>(m + 1) }).await
        });
        if third {
            w.task("third", |_: Cx, _| async { Ok::<_, Infallible>(()) });
        }
        w.output(&second)
    };
    let original = dag("two", "second", false);
    let kit = Kit::builder().workflow(original.clone()).start().await?;
    let run = kit.run(&original, &1).await?;
    run.wait().await?;
    let history = kit.histories().await?;
    let check = async |code| Check::new().workflow(code).histories(history.clone()).await;
    assert!(check(original).await?.is_ok());
    let renamed = check(dag("deux", "second", false)).await?;
    let (_, divergence) = renamed.divergences().next().expect("a divergence");
    assert_eq!(divergence.task.as_ref().map(ToString::to_string).as_deref(), Some("second"));
    assert!(
        divergence
            .diff
            .headline()
            .starts_with("the log has a step `two 2` where the code asks for a step `deux 2` (")
    );
    let shaped = check(dag("two", "zweite", true)).await?;
    let plans: Vec<_> = shaped
        .divergences()
        .map(|(_, divergence)| {
            divergence.diff.differences().map(|(difference, _)| difference).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(plans, [vec![Difference::Renamed, Difference::Inserted, Difference::Renamed]]);
    assert!(shaped.divergences().all(|(_, divergence)| divergence.task.is_none() && !divergence.blocks));
    Ok(())
}
